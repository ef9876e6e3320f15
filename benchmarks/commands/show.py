"""A few documents for a person in a terminal, or for a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.document.schema import Document, Percentile


def as_dict(document: Document) -> dict[str, Any]:
    """What a script wants to know first; null where it could not be told."""
    whole = document.stats["whole"]
    return {
        "board": document.device.board,
        "bundle": document.model.bundle,
        "variant": document.model.variant,
        "scenario": document.run.scenario,
        "p50_ms": milliseconds(whole.p50),
        "p90_ms": milliseconds(whole.p90),
        "p99_ms": milliseconds(whole.p99),
        "n": whole.n,
        "photos_per_s": document.throughput_measured_ips,
        "peak_rss_bytes": max((each.peak_rss_bytes or 0 for each in document.processes), default=0) or None,
        "verdict": document.verdict.status,
        "reasons": list(document.verdict.reasons),
    }


def milliseconds(percentile: Percentile) -> float | None:
    """The percentile's value; None where the samples are too few."""
    return None if percentile.value_ns is None else percentile.value_ns / 1e6


def table(documents: Sequence[Document]) -> str:
    """One line a document, and the reasons of each verdict that is not `stable`."""
    head = ("bundle", "variant", "scenario", "p50 ms", "p90 ms", "p99 ms", "n", "photos/s", "peak MB", "verdict")
    rows: list[tuple[str, ...]] = [head]
    for document in documents:
        told = as_dict(document)
        setup = f"{told['variant']} {document.model.threads}x{document.model.streams}"
        values = [told[name] for name in ("p50_ms", "p90_ms", "p99_ms")]
        peak = told["peak_rss_bytes"]
        rows.append(
            (
                told["bundle"],
                setup,
                told["scenario"],
                *("-" if value is None else f"{value:.1f}" for value in values),
                str(told["n"]),
                f"{told['photos_per_s']:.1f}",
                "-" if peak is None else f"{peak / 1e6:.0f}",
                told["verdict"],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if column in (0, 1, 2, 9) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    for document in documents:
        lines += [f"  {document.model.bundle} {document.model.variant}: {why}" for why in document.verdict.reasons]
    return "".join(f"{line}\n" for line in lines)
