"""From PyTorch checkpoints and existing graphs to model bundles."""
