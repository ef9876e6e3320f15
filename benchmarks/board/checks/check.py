"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.board.checks.around import Around
from edge_runtime.device.host import Host

Finding = Literal["good", "warn", "bad", "unknown"]
SPOILS: tuple[Finding, ...] = ("warn", "bad")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that could spoil a measurement."""

    name: str
    status: Finding
    """`warn`: figures will be worse or less steady than the board's own; `bad`: they will not be the board's."""
    found: str
    mend: str = ""
    """The next step, as a command to type where there is one; empty where nothing is to be done."""


Probe = Callable[[Host, Around], "Check | None"]
"""None where the question does not arise on this machine."""
