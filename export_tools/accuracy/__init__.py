"""How well a detector finds what is there: matches, average precision, thresholds, intervals. NumPy only."""
