"""The variants that a bundle may hold: one file each, one line here."""
