"""The one error of provisioning."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import CamtrapEdgeError


class ProvisioningError(CamtrapEdgeError):
    """A device cannot be let in or shut out. Nothing was changed, unless the message says so."""

    def __init__(self, problem: str, *, file: Path | None = None, hint: str = "") -> None:
        self.problem, self.file, self.hint = problem, file, hint
        where = f"{file}: " if file is not None else ""
        super().__init__(f"{where}{problem}" + (f" ({hint})" if hint else ""))
