"""Making the models that the package carries: run on a workstation, never on a device."""
