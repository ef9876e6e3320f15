"""What samples say, and what they do not."""
