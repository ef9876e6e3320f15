"""A bundle as text and as plain data: what is in it, how it was made, what its proof says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime import checked_yaml
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Manifest, Measure, Proof, Variant
from edge_runtime.models import selftest
from export_tools import columns

_SHOWN = 6
"""Nodes kept in float that the text names; the data names all."""


def load(folder: Path) -> Bundle:
    """Open a bundle of any task; every hash in it is checked.

    Raises:
        BundleError, ConfigError: it is missing, damaged, or says what is not allowed.
    """
    file = folder / bundles.MANIFEST
    # The task is in the manifest; where there is none, `load` says so.
    task = checked_yaml.read(file, Manifest).task if file.is_file() else "detector"
    return bundles.load(folder, task=task)


def as_dict(bundle: Bundle) -> dict[str, Any]:
    """Everything that the text says and more, for `--json`."""
    manifest = bundle.manifest
    golden = selftest.read(bundle)
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    return {
        "bundle": str(bundle.folder),
        "id": bundle.id,
        "title": bundle.title,
        "hashes": "checked",
        "task": manifest.task,
        "licence": manifest.licence,
        "source": manifest.source,
        "input": plain["input"],
        "preprocess": plain["preprocess"],
        "thresholds": plain.get("thresholds", {}),
        "labels": {kind: _kinds(bundle)[kind] for kind in bundles.KINDS},
        "taxa": len(bundle.taxa),
        "embedding": manifest.embedding.dimensions if manifest.embedding else None,
        "calibration": plain.get("calibration"),
        "golden": len(golden.samples) if golden else 0,
        "variants": [
            {**plain_variant, "bytes": size(variant)} for plain_variant, variant in _variants(plain, manifest)
        ],
    }


def as_text(bundle: Bundle) -> str:
    """Some lines for people, the variants as a table."""
    manifest = bundle.manifest
    golden = selftest.read(bundle)
    spec = manifest.input
    lines = [
        f"{bundle.folder}: {bundle.title}",
        f"  {manifest.task}, {manifest.description}",
        f"  licence {manifest.licence}; {manifest.source}",
        f"  input {spec.width} x {spec.height} {spec.colour}, {manifest.preprocess.resize}; all hashes are right",
        f"  {_contents(bundle)}",
        f"  {_calibration(manifest)}; {f'{len(golden.samples)} golden samples' if golden else 'no golden samples'}",
        "",
        *table(manifest.variants),
    ]
    for variant in manifest.variants:
        lines += ["", *_details(variant)] if variant.proof or variant.checked or variant.kept_float else []
    return "\n".join(lines)


def table(variants: Sequence[Variant]) -> list[str]:
    """The closing table of an export: one line a variant."""
    rows = [("variant", "size", "latency", "speedup", "gate", "kept in float", "compared on")]
    for variant in variants:
        proof = variant.proof
        rows.append(
            (
                variant.name,
                f"{size(variant) / 1e6:.1f} MB",
                f"{proof.latency_ms:.1f} ms" if proof and proof.latency_ms else "-",
                f"{proof.speedup:.2f}" if proof and proof.speedup else "-",
                _gate(proof) if proof else "-",
                f"{len(variant.kept_float)} nodes" if variant.kept_float else "-",
                f"{proof.samples} samples" if proof else "-",
            )
        )
    return columns.aligned(rows)


def size(variant: Variant) -> int:
    """Bytes of the graph and of what lies beside it."""
    return variant.bytes + sum(entry.bytes for entry in variant.files)


def _gate(proof: Proof) -> str:
    return "passed, unproven" if proof.gate == "passed" and proof.reasons else proof.gate


def _details(variant: Variant) -> Iterable[str]:
    yield f"  {variant.name}"
    proof = variant.proof
    if proof is not None:
        yield f"    against {proof.against}" + (f", timed on {proof.machine}" if proof.machine else "")
        yield from (f"    {_measure(measure)}" for measure in proof.measures)
        yield from (f"    {proof.gate}: {reason}" for reason in proof.reasons)
    yield from (f"    checked: {what}" for what in variant.checked)
    yield from (f"    in float: {kept.node} ({kept.reason})" for kept in variant.kept_float[:_SHOWN])
    if len(variant.kept_float) > _SHOWN:
        yield f"    in float: and {len(variant.kept_float) - _SHOWN} more"


def _measure(measure: Measure) -> str:
    if not measure.n:
        return f"{measure.name}: nothing to count"
    interval = f", 95 % {measure.low:.4f} to {measure.high:.4f}" if None not in (measure.low, measure.high) else ""
    return f"{measure.name}: {measure.value:.4f} (n {measure.n}{interval})"


def _contents(bundle: Bundle) -> str:
    kinds = _kinds(bundle)
    parts = [f"{kinds[kind]} {kind}" for kind in bundles.KINDS if kinds[kind]]
    labels = f"labels: {', '.join(parts)}" if parts else "no labels"
    taxa = f"; {len(bundle.taxa)} groups" if bundle.taxa else ""
    embedding = bundle.manifest.embedding
    return labels + taxa + (f"; embedding of {embedding.dimensions} numbers" if embedding else "")


def _calibration(manifest: Manifest) -> str:
    calibration = manifest.calibration
    if calibration is None:
        return "calibration not recorded"
    return f"calibrated on {calibration.count} photos ({calibration.sha256[:12]}, seed {calibration.seed})"


def _kinds(bundle: Bundle) -> Counter[str]:
    return Counter(label.kind for label in bundle.labels)


def _variants(plain: dict[str, Any], manifest: Manifest) -> Iterable[tuple[dict[str, Any], Variant]]:
    return zip(plain["variants"], manifest.variants, strict=True)
