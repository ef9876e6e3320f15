"""From PyTorch checkpoints and existing graphs to model bundles."""

# What it sets for ONNX Runtime must be set before anything here loads that.
import edge_runtime  # noqa: F401
