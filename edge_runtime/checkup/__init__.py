"""A device's check-up: what would keep it from working, step by step, and what to do about each."""
