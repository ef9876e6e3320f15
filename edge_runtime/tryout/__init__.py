"""The try-out: a sample card, and broker, station and device on one machine to read it."""
