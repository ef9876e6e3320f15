"""Checkpoint families: one file each, one line here."""
