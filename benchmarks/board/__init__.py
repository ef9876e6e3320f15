"""What this machine is, what it says of itself, and what would spoil a measurement on it."""
