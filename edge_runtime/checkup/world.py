"""Everything outside this program that the check-up asks, in one place, so that a test can hand in another world.

Files are named as the machine names them (`/sys/...`), wherever the root lies. What cannot be read is None.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

Tool = Callable[[Sequence[str]], "str | None"]
"""Runs a command and gives its standard output; None where it is absent, fails or hangs."""
TOOL_SECONDS = 3.0
_DIGITS = re.compile(r"(\d+)")


def run_tool(command: Sequence[str]) -> str | None:
    """A `Tool` that starts the program; one that says nothing within three seconds counts as absent."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOOL_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return done.decode("utf-8", "replace").strip() or None


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name stands for, each once.

    Raises:
        OSError: the name is not known, or nobody answers who would know it.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def command_lines() -> Iterable[Sequence[str]]:
    """The words of every other process' command line, as far as this user may see them."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid():
                yield process.cmdline()
        except psutil.Error:
            continue  # it ended, or is not ours to see


def disk_bytes(folder: Path) -> tuple[int, int]:
    """Bytes in all and free to this user, of the file system of `folder`.

    Raises:
        OSError: it cannot be asked.
    """
    told = os.statvfs(folder)
    return told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize


@dataclass(frozen=True, slots=True)
class World:
    """The machine, and whom it can ask."""

    root: Path = Path("/")
    """Under which `/proc`, `/sys`, `/run` and `/dev` lie. The device's own folders are not sought there."""
    tool: Tool = run_tool
    now: Callable[[], float] = time.time
    """UTC seconds since 1970."""
    resolve: Callable[[str, int], list[str]] = resolve
    command_lines: Callable[[], Iterable[Sequence[str]]] = command_lines
    disk_bytes: Callable[[Path], tuple[int, int]] = disk_bytes

    def path(self, name: str) -> Path:
        """Where `name` lies under the root."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """A file's text without surrounding white space and NULs; None where nothing can be read."""
        try:
            data = self.path(name).read_bytes()
        except OSError:
            return None
        return data.decode("utf-8", "replace").strip(" \t\r\n\0") or None

    def integer(self, name: str, base: int = 10) -> int | None:
        """A file that holds one whole number."""
        return integer(self.text(name), base)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Names that match, `zone10` after `zone2`."""
        try:
            found = [f"/{each.relative_to(self.root).as_posix()}" for each in self.root.glob(pattern.lstrip("/"))]
        except OSError:
            return ()
        return tuple(sorted(found, key=_natural))

    def is_pi(self) -> bool:
        """Whether the board says that it is a Raspberry Pi."""
        return (self.text("/proc/device-tree/model") or "").startswith("Raspberry Pi")

    def daemon_runs(self) -> bool:
        """Whether an `edge-runtime run` is at work on this machine, as far as this user may see."""
        return any(_is_daemon(words) for words in self.command_lines())


def integer(text: str | None, base: int = 10) -> int | None:
    """A whole number, or None for anything else."""
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None


def _is_daemon(words: Sequence[str]) -> bool:
    for place, word in enumerate(words):
        if Path(word).name in ("edge-runtime", "edge_runtime.cli"):
            return words[place + 1 : place + 2] == ["run"]
    return False


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
