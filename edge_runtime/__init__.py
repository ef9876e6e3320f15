"""camtrap-edge on the device and at the ranger station."""

import os

__version__ = "0.1.0"

# From 1.29 on ONNX Runtime writes a device identity to the disk and reports its use to its maker over whatever link
# there is, unless this is set before it is loaded. Where animals are is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
