"""The file formats that this field reads: one file each."""
