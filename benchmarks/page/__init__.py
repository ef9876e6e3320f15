"""The report: one page of result documents that opens anywhere, asks nobody for anything, and prints."""
