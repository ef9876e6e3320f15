"""What could spoil a measurement: one file a kind of trouble."""
