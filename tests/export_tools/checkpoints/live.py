"""Classes that touch a file when they are made or given a state: proof that an attack would have worked."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class RunsWhenMade:
    def __new__(cls, path: str) -> RunsWhenMade:
        Path(path).touch()
        return super().__new__(cls)


class RunsWhenNamed:
    def __new__(cls, *, path: str) -> RunsWhenNamed:
        Path(path).touch()
        return super().__new__(cls)


class RunsWhenBuilt:
    def __setstate__(self, state: Any) -> None:
        Path(state).touch()


class RunsWhenCalled:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


class RunsCommand:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.path}",)
