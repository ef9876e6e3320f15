"""The device's one SQLite file: what was read, what was found, what waits to be sent."""
