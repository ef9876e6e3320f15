"""Whether `device.yaml` can be used at all."""

from __future__ import annotations

from edge_runtime import settings
from edge_runtime.checkup.step import Finding, Step, bad, good
from edge_runtime.checkup.visit import Visit
from edge_runtime.errors import ConfigError

NAME = "configuration"


def configuration(visit: Visit) -> Finding:
    """Read and check the file; later steps have its settings."""
    try:
        visit.known_settings = settings.read_device(visit.config)
    except ConfigError as error:
        line = f"+{error.line} " if error.line is not None else ""
        if not visit.config.exists():
            return bad(str(error), f"cp deploy/device.yaml {visit.config}, then nano {visit.config}")
        return bad(str(error), f"nano {line}{error.file}")
    return good(f"{visit.config}: device '{visit.settings.device}'")


STEPS = (Step(NAME, (), configuration),)
