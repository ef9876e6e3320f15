"""The machine as its files and tools show it. What cannot be read is None, never zero."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Tool = Callable[[Sequence[str]], "str | None"]
"""Runs a command and gives its standard output; None where it is absent, fails or hangs."""
TOOL_SECONDS = 2.0
_DIGITS = re.compile(r"(\d+)")


def run_tool(command: Sequence[str]) -> str | None:
    """A `Tool` that starts the program; one that says nothing within two seconds counts as absent."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOOL_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return done.decode("utf-8", "replace").strip() or None


@dataclass(frozen=True, slots=True)
class Host:
    """Files are named as the machine names them (`/sys/...`), wherever its root lies."""

    root: Path = Path("/")
    tool: Tool = run_tool

    def path(self, name: str) -> Path:
        """Where `name` lies under the root."""
        return self.root / name.lstrip("/")

    def data(self, name: str) -> bytes | None:
        """A file's bytes. Sensors answer with errors while their part of the chip sleeps, or to all but root."""
        try:
            return self.path(name).read_bytes()
        except OSError:
            return None

    def text(self, name: str) -> str | None:
        """A file's text without surrounding white space and the NULs of the device tree; None where none is left."""
        data = self.data(name)
        return None if data is None else data.decode("utf-8", "replace").strip(" \t\r\n\0") or None

    def entries(self, name: str) -> tuple[str, ...]:
        """The strings of a device tree's property."""
        return tuple(each for each in (self.text(name) or "").split("\0") if each)

    def integer(self, name: str, base: int = 10) -> int | None:
        """A file that holds one whole number."""
        return integer(self.text(name), base)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Names that match, `zone10` after `zone2`; none where a folder is closed to us."""
        try:
            found = [f"/{each.relative_to(self.root).as_posix()}" for each in self.root.glob(pattern.lstrip("/"))]
        except OSError:
            return ()
        return tuple(sorted(found, key=_natural))

    def distinct(self, *patterns: str) -> tuple[str, ...]:
        """As `glob`, each thing under the first of its names: sysfs shows one device in many places."""
        found: dict[Path, str] = {}
        for pattern in patterns:
            for name in self.glob(pattern):
                found.setdefault(self.path(name).resolve(), name)
        return tuple(found.values())


def integer(text: str | None, base: int = 10) -> int | None:
    """A whole number, or None for anything else."""
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None


def decimal(text: str | None) -> float | None:
    """A finite number, or None for anything else, such as the `[N/A]` of tools."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
