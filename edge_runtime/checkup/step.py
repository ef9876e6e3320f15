"""What a step of the check-up is and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.checkup.visit import Visit

Status = Literal["good", "warn", "bad", "skipped"]
_WORST: tuple[Status, ...] = ("bad", "warn", "skipped", "good")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found."""

    status: Status
    """`warn`: it works, but not for long or not well; `bad`: the device will not do its work; `skipped`: not known."""
    found: str
    next_step: str = ""
    """What to type or to do; empty where nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to look at. `run` raises nothing that it could expect."""

    name: str
    needs: tuple[str, ...]
    """Names of earlier steps; where one of them is bad, this one could say nothing and is skipped."""
    run: Callable[[Visit], Finding]
    network: bool = False
    """Whether it speaks to other machines."""


def good(found: str) -> Finding:
    """Nothing to do."""
    return Finding("good", found)


def warn(found: str, next_step: str) -> Finding:
    """It works, but not for long or not well."""
    return Finding("warn", found, next_step)


def bad(found: str, next_step: str) -> Finding:
    """The device will not do its work."""
    return Finding("bad", found, next_step)


def skipped(reason: str, next_step: str = "") -> Finding:
    """Nothing is known, for this reason."""
    return Finding("skipped", f"because {reason}", next_step)


def together(findings: Sequence[Finding]) -> Finding:
    """One finding of several, at least one: the worst status, and the next step of the first that is so bad."""
    worst = min(findings, key=lambda each: _WORST.index(each.status))
    # What is worst comes first, so that a reader who stops early has read it.
    ordered = sorted(findings, key=lambda each: _WORST.index(each.status))
    return Finding(worst.status, "; ".join(each.found for each in ordered if each.found), worst.next_step)
