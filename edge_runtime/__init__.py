"""camtrap-edge on the device and at the ranger station."""

__version__ = "0.1.0"
