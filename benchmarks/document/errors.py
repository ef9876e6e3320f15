"""What is wrong with a file that should be a result document."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import CamtrapEdgeError


class ResultError(CamtrapEdgeError):
    """A result document is damaged, foreign, or contradicts itself. Nothing of it is used."""

    exit_code = 2

    def __init__(self, file: Path, problem: str, *, hint: str = "") -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(f"{file}: {problem}" + (f" ({hint})" if hint else ""))
