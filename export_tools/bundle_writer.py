"""Writing a bundle: files in, hashes and manifest out, and the finished folder opened again as proof."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import (
    NO_OUTPUT,
    Calibration,
    CropRule,
    EmbeddingOutput,
    Input,
    KeptFloat,
    ListedFile,
    Manifest,
    Output,
    Preprocess,
    Proof,
    Task,
    Thresholds,
    Variant,
)
from edge_runtime.errors import BundleError


@dataclass(frozen=True)
class Graph:
    """One graph that goes into a bundle."""

    source: Path
    name: str
    """Variant name, also the file's name inside the bundle."""
    engine: str
    precision: str
    """`fp32`, `fp16` or `int8`."""
    files: tuple[Path, ...] = ()
    """What the engine finds by itself beside the graph (OpenVINO's weights); they get the graph's name."""
    checked: tuple[str, ...] = ()
    kept_float: tuple[KeptFloat, ...] = ()
    proof: Proof | None = None


@dataclass(frozen=True)
class Description:
    """Everything of a manifest that is not derived from the files themselves."""

    name: str
    version: str
    task: Task
    description: str
    licence: str
    source: str
    input: Input
    preprocess: Preprocess
    thresholds: Thresholds
    output: Output = NO_OUTPUT
    crop: CropRule = CropRule()
    embedding: EmbeddingOutput | None = None


def write(
    folder: Path,
    description: Description,
    graphs: Sequence[Graph],
    *,
    labels: Path | None = None,
    taxa: Path | None = None,
    texts: Mapping[str, str | bytes] | None = None,
    calibration: Calibration | None = None,
    golden: str = "",
    replace: bool = False,
) -> Bundle:
    """Write a bundle into `folder` and load it again, so that what is returned is known to be whole.

    Whatever goes wrong, `folder` is afterwards what it was before, or complete.

    Args:
        graphs: the first one is what a reader prefers.
        labels: label table (BUNDLE.md), copied to `labels.csv`; an embedder needs none.
        taxa: the taxa that a classifier may answer with (BUNDLE.md), copied to `taxa.csv`.
        texts: further files (NOTICE, MODEL_CARD.md, golden/1.png ...), name to content.
        golden: which of `texts` is the list of golden samples.
        replace: whether an existing bundle may be overwritten.

    Raises:
        BundleError: the folder is in use or cannot be written, or the result does not pass the reader's own checks.
    """
    if folder.exists() and not replace:
        raise BundleError(folder, "exists already", hint="choose another folder or say --replace")
    work = folder.with_name(folder.name + ".partial")
    try:
        if work.exists():
            shutil.rmtree(work)
        (work / "graphs").mkdir(parents=True)
        variants = [_copy_graph(work, graph) for graph in graphs]
        tables = {name: table for name, table in (("labels.csv", labels), ("taxa.csv", taxa)) if table is not None}
        for name, table in tables.items():
            shutil.copyfile(table, work / name)
        for name, content in (texts or {}).items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(content.encode() if isinstance(content, str) else content)
        manifest = Manifest(
            bundle=1,
            labels="labels.csv" if labels else "",
            taxa="taxa.csv" if taxa else "",
            calibration=calibration,
            golden=golden,
            variants=tuple(variants),
            files=tuple(_listed(work, name) for name in [*tables, *(texts or {})]),
            **{field: getattr(description, field) for field in Description.__dataclass_fields__},
        )
        (work / bundles.MANIFEST).write_text(_yaml(manifest), encoding="utf-8")
        bundles.load(work, task=description.task)
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    except OSError as error:
        raise BundleError(folder, f"cannot be written ({error.strerror or error})", hint="is the disk full?") from error
    finally:
        if work.exists():
            shutil.rmtree(work, ignore_errors=True)
    return bundles.load(folder, task=description.task)


def _copy_graph(work: Path, graph: Graph) -> Variant:
    stem = f"graphs/{graph.name}"
    for source in (graph.source, *graph.files):
        shutil.copyfile(source, work / f"{stem}{source.suffix}")
    listed = _listed(work, f"{stem}{graph.source.suffix}")
    return msgspec.convert(
        {
            **msgspec.to_builtins(listed),
            "name": graph.name,
            "engine": graph.engine,
            "precision": graph.precision,
            "files": tuple(_listed(work, f"{stem}{source.suffix}") for source in graph.files),
            "checked": graph.checked,
            "kept_float": graph.kept_float,
            "proof": graph.proof,
        },
        Variant,
    )


def _listed(work: Path, name: str) -> ListedFile:
    path = work / name
    return ListedFile(file=name, bytes=path.stat().st_size, sha256=bundles.sha256_of(path))


def _yaml(manifest: Manifest) -> str:
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    # `omit_defaults` keeps what differs from the format's defaults; the format number always stands.
    return yaml.safe_dump({"bundle": 1, **plain}, sort_keys=False, allow_unicode=True, width=110)
