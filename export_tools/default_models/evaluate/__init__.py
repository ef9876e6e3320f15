"""How good the package's default detector is, beside another one: `python -m export_tools.default_models.evaluate`."""
