"""How the page says numbers: three digits that mean something, with their units at the column's head."""

from __future__ import annotations

import unicodedata

LONGEST = 34


def number(value: float) -> str:
    """`0.0123`, `1.23`, `12.3`, `123`, `12,345`."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:#.3g}"


def ms(nanoseconds: float) -> str:
    """Nanoseconds as milliseconds."""
    return number(nanoseconds / 1e6)


def seconds(nanoseconds: float) -> str:
    """Nanoseconds as seconds."""
    return number(nanoseconds / 1e9)


def megabytes(count: float) -> str:
    """Bytes as MB."""
    return number(count / 1e6)


def percent(share: float) -> str:
    """`97.5 %`."""
    return f"{share * 100:.1f} %"


def measure(value: float, *, is_share: bool) -> str:
    """What an accuracy measure found."""
    return percent(value) if is_share else number(value)


def label(text: str, longest: int = LONGEST) -> str:
    """A name as a chart can write it: printable, cut to `longest` characters."""
    clean = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
