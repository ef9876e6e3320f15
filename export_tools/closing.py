"""What an export says at its end: a line a variant, what changed, and why one was refused."""

from __future__ import annotations

from typing import Any

import msgspec

from export_tools import columns
from export_tools.building import Built, Row

_HEADER = ("variant", "outcome", "size", "latency", "speedup", "what it keeps of the float graph")
_TOLD = ("share of the reference's recall", "same label where the reference is sure", "cosine, mean")
"""Of a proof's figures the one that the closing table shows."""


def render(built: Built) -> str:
    """The text for people."""
    lines = [f"{built.bundle.folder}: {built.bundle.title}, family {built.family}"]
    for parity in built.parity:
        lines.append(
            f"  {parity.output}: ONNX beside PyTorch differs by at most {parity.largest:.1e} "
            f"(values up to {parity.scale:.3g}, {parity.inputs} inputs)"
        )
    lines += [f"  {note}" for note in built.notes]
    lines += ["", *columns.aligned([_HEADER, *map(_cells, built.rows)])]
    for row in built.rows:
        lines += [f"  {row.variant}: {reason}" for reason in row.reasons]
    return "\n".join(lines) + "\n"


def as_dict(built: Built) -> dict[str, Any]:
    """The same and more, for `--json`."""
    return {
        "bundle": str(built.bundle.folder),
        "id": built.bundle.id,
        "title": built.bundle.title,
        "family": built.family,
        "parity": msgspec.to_builtins(built.parity),
        "notes": list(built.notes),
        "variants": [
            {
                "name": row.variant,
                "outcome": row.outcome,
                "reasons": list(row.reasons),
                "bytes": row.bytes,
                "proof": msgspec.to_builtins(row.proof),
                "kept_float": msgspec.to_builtins(row.graph.kept_float) if row.graph else [],
                "checked": list(row.graph.checked) if row.graph else [],
            }
            for row in built.rows
        ],
    }


def _cells(row: Row) -> tuple[str, ...]:
    proof = row.proof
    told = next((one for one in proof.measures if one.name in _TOLD and one.n), None) if proof else None
    interval = f" [{told.low:.4f}, {told.high:.4f}]" if told and told.low is not None and told.high is not None else ""
    return (
        row.variant,
        row.outcome,
        f"{row.bytes / 1e6:.1f} MB" if row.bytes else "-",
        f"{proof.latency_ms:.1f} ms" if proof and proof.latency_ms else "-",
        f"{proof.speedup:.2f}" if proof and proof.speedup else "-",
        f"{told.value:.4f}{interval}, n {told.n}: {told.name}" if told else "-",
    )
