"""From photos to events: what belongs together, and how many of what were there."""
