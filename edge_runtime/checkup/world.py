"""Everything outside this program that the check-up asks, in one place, so that a test can hand in another world."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_runtime.device.host import Host
from edge_runtime.device.mounts import MOUNTINFO, Mount, parse


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
class World(Host):
    """The machine, and whom it can ask. The device's own folders are not sought under its root."""

    now: Callable[[], float] = time.time
    """UTC seconds since 1970."""
    resolve: Callable[[str, int], list[str]] = resolve
    command_lines: Callable[[], Iterable[Sequence[str]]] = command_lines
    disk_bytes: Callable[[Path], tuple[int, int]] = disk_bytes

    def mounts(self) -> tuple[Mount, ...]:
        """Everything that is mounted; nothing where the system does not tell."""
        return parse(self.text(MOUNTINFO) or "")

    def is_pi(self) -> bool:
        """Whether the board says that it is a Raspberry Pi."""
        return (self.text("/proc/device-tree/model") or "").startswith("Raspberry Pi")

    def daemon_runs(self) -> bool:
        """Whether an `edge-runtime run` is at work on this machine, as far as this user may see."""
        return any(_is_daemon(words) for words in self.command_lines())


def _is_daemon(words: Sequence[str]) -> bool:
    for place, word in enumerate(words):
        if Path(word).name in ("edge-runtime", "edge_runtime.cli"):
            return words[place + 1 : place + 2] == ["run"]
    return False
