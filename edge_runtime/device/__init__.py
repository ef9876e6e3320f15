"""What the board itself has to do with it."""
