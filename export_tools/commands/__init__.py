"""The commands of `edge-export`, one file each: its options and what it prints."""
