"""What can be wrong with a checkpoint, and with getting one."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import CamtrapEdgeError


class CheckpointError(CamtrapEdgeError):
    """A checkpoint cannot be read, or is not what it is said to be. Nothing in it was run."""

    exit_code = 2

    def __init__(self, file: Path, problem: str, *, hint: str = "") -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(f"{file}: {problem}" + (f" ({hint})" if hint else ""))


def damaged(file: Path, problem: str) -> CheckpointError:
    """An error for bytes that no program writes: cut, changed, or made to break the reader."""
    return CheckpointError(file, f"the file is damaged: {problem}", hint="get it again and compare its hash")


class FetchError(CamtrapEdgeError):
    """A checkpoint could not be fetched, or what came is not the right file."""

    exit_code = 3

    def __init__(self, name: str, problem: str, *, hint: str = "") -> None:
        self.name, self.problem, self.hint = name, problem, hint
        super().__init__(f"{name}: {problem}" + (f" ({hint})" if hint else ""))
