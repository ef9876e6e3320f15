"""Networks, written here, whose weights come out of checkpoints of others."""
