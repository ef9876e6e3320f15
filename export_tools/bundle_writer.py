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
    CropRule,
    EmbeddingOutput,
    Input,
    ListedFile,
    Manifest,
    Output,
    Preprocess,
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
    replace: bool = False,
) -> Bundle:
    """Write a bundle into `folder` and load it again, so that what is returned is known to be whole.

    Args:
        graphs: the first one is what a reader prefers.
        labels: label table (BUNDLE.md), copied to `labels.csv`; an embedder needs none.
        taxa: the taxa that a classifier may answer with (BUNDLE.md), copied to `taxa.csv`.
        texts: further files (NOTICE, MODEL_CARD.md ...), name to content.
        replace: whether an existing bundle may be overwritten.

    Raises:
        BundleError: the folder is in use, or the result does not pass the reader's own checks.
    """
    if folder.exists() and not replace:
        raise BundleError(folder, "exists already", hint="choose another folder or say --replace")
    work = folder.with_name(folder.name + ".partial")
    if work.exists():
        shutil.rmtree(work)
    (work / "graphs").mkdir(parents=True)
    variants = [_copy_graph(work, graph) for graph in graphs]
    tables = {name: table for name, table in (("labels.csv", labels), ("taxa.csv", taxa)) if table is not None}
    for name, table in tables.items():
        shutil.copyfile(table, work / name)
    for name, content in (texts or {}).items():
        (work / name).write_bytes(content.encode() if isinstance(content, str) else content)
    manifest = Manifest(
        bundle=1,
        labels="labels.csv" if labels else "",
        taxa="taxa.csv" if taxa else "",
        variants=tuple(variants),
        files=tuple(_listed(work, name) for name in [*tables, *(texts or {})]),
        **{field: getattr(description, field) for field in Description.__dataclass_fields__},
    )
    (work / bundles.MANIFEST).write_text(_yaml(manifest), encoding="utf-8")
    bundles.load(work, task=description.task)
    if folder.exists():
        shutil.rmtree(folder)
    work.rename(folder)
    return bundles.load(folder, task=description.task)


def _copy_graph(work: Path, graph: Graph) -> Variant:
    name = f"graphs/{graph.name}{graph.source.suffix}"
    shutil.copyfile(graph.source, work / name)
    listed = _listed(work, name)
    return msgspec.convert(
        {**msgspec.to_builtins(listed), "name": graph.name, "engine": graph.engine, "precision": graph.precision},
        Variant,
    )


def _listed(work: Path, name: str) -> ListedFile:
    path = work / name
    return ListedFile(file=name, bytes=path.stat().st_size, sha256=bundles.sha256_of(path))


def _yaml(manifest: Manifest) -> str:
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    # `omit_defaults` keeps what differs from the format's defaults; the format number always stands.
    return yaml.safe_dump({"bundle": 1, **plain}, sort_keys=False, allow_unicode=True, width=110)
