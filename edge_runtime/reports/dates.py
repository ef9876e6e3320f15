"""The days that a report is about."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Days:
    """From the first to the last, both included; None for no end."""

    since: date | None = None
    until: date | None = None

    def hold(self, day: date | None) -> bool:
        """Whether a day is one of them. One that is not known is, where there is no end on either side."""
        if day is None:
            return self.since is None and self.until is None
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


def day(text: str) -> date:
    """A day as a person gives it in a command.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no date; write it like 2026-05-01") from error
