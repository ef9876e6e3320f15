"""What tuning and `why-slow` tell a person."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.laps import Stage
from edge_runtime.tuning.slowness import Slowness
from edge_runtime.tuning.stored import Choice, Row

_NAMES: dict[Stage, str] = {
    "read": "read from the card",
    "hash": "prove whole, hash",
    "decode": "decode, EXIF",
    "prepare": "scale to the input",
    "h2d": "copy to the GPU",
    "infer": "infer",
    "d2h": "copy from the GPU",
    "boxes": "boxes from the output",
    "classify": "crops, species",
    "journal": "commit to the journal",
}


def choice(made: Choice) -> str:
    """The table of all candidates and what was chosen, as lines that end in a newline."""
    head = (
        "variant",
        "engine",
        "threads x streams",
        "photos/s",
        "rounds",
        "peak MB",
        "load s",
        "boxes kept",
        "extra",
        "",
    )
    best = max((row.photos_per_s or 0.0 for row in made.rows), default=0.0)
    order = sorted(made.rows, key=lambda row: -(row.photos_per_s or 0.0))
    lines = _aligned([head, *(_row(row, made, best) for row in order)], left=(0, 1, 9))
    where = f"{made.photos} of {made.card_photos} photos of {made.card}"
    lines += [
        f"{made.title}: {made.variant} on {made.engine}, {made.threads} threads x {made.streams} streams",
        f"  {where}; boxes are held against {made.reference}",
    ]
    if made.note:
        lines.append(f"  {made.note}")
    return "".join(line + "\n" for line in lines)


def slowness(found: Slowness) -> str:
    """Stages, floor and advice, as lines that end in a newline."""
    rows = [("stage, one thread", "median ms", "share")]
    rows += [(_NAMES[each.stage], f"{each.median_ms:.2f}", f"{each.share:.0%}") for each in found.stages]
    lines = _aligned(rows, left=(0,))
    lines += [
        f"{found.photos} photos of {found.mean_megabytes:.2f} MB in the mean",
        f"floor    {found.floor_photos_per_s:7.1f} photos/s: decoding and inference alone, over {found.cpus} cores",
        f"reached  {found.reached_photos_per_s:7.1f} photos/s by the whole way with all threads: "
        f"{found.of_the_floor:.2f} of the floor",
        f"{found.advice}",
    ]
    return "".join(line + "\n" for line in lines)


def _row(row: Row, made: Choice, best: float) -> tuple[str, ...]:
    if row.setup == made.setup:
        said = "<- chosen"
    elif row.problem:
        said = f"not chosen: {row.problem}"
    elif row.photos_per_s is not None and row.photos_per_s >= best:
        said = "as fast, but takes more memory"
    else:
        said = ""
    return (
        row.variant,
        row.engine,
        f"{row.threads} x {row.streams}",
        "-" if row.photos_per_s is None else f"{row.photos_per_s:.1f}",
        str(len(row.rounds)),
        "-" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        "-" if row.load_s is None else f"{row.load_s:.1f}",
        f"{row.boxes - row.missed} of {row.boxes}" if row.rounds else "-",
        str(row.extra) if row.rounds else "-",
        said,
    )


def _aligned(rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
