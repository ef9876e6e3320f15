"""What a variant decides otherwise than the float graph, counted, and whether that may be."""
