"""From a checkpoint to a bundle: the order of the work.

Checkpoint, network, float graph; then each variant is made, compared with the float graph in what it decides, timed
beside it, and kept or refused; then the bundle is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Proof
from edge_runtime.errors import BundleError, CamtrapEdgeError
from export_tools import bundle_writer, label_files, loaders, onnx_export
from export_tools.bundle_writer import Graph
from export_tools.checkpoints import reading
from export_tools.model import Model, Request, VariantRefusedError
from export_tools.onnx_export import Parity
from export_tools.pictures import Folders, Pictures, gather
from export_tools.proof import golden, proving, trial
from export_tools.proof.evidence import Judge
from export_tools.proof.proving import REFERENCE
from export_tools.stages import Stages
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph, Variant

LARGEST_DIFFERENCE = 1e-4
"""Between network and float graph, as a share of the largest value of that output (at least 1)."""
_COMPARED, _TIMED = 8, 4
"""Inputs on which network and graph are compared, and on which a variant is timed."""


@dataclass(frozen=True)
class Order:
    """What is to be made of what."""

    source: Request | Bundle
    """A checkpoint, or a bundle whose graph exists already."""
    output: Path
    variants: tuple[str, ...] = ()
    """Empty: all that can be made here."""
    folders: Folders = field(default_factory=Folders)
    keep_failing: bool = False
    with_golden: bool = True
    replace: bool = False


@dataclass(frozen=True)
class Row:
    """What became of one variant."""

    variant: str
    outcome: Literal["kept", "refused", "not made"]
    reasons: tuple[str, ...] = ()
    graph: Graph | None = None
    bytes: int = 0
    """Of the graph and the files that belong to it."""

    @property
    def proof(self) -> Proof | None:
        return self.graph.proof if self.graph else None


@dataclass(frozen=True)
class Built:
    """A finished bundle and how it came about."""

    bundle: Bundle
    family: str
    parity: tuple[Parity, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What the user ought to know of the photos."""

    @property
    def refused(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.outcome == "refused")


def build(order: Order) -> Built:
    """Do it all; nothing is written to `order.output` before everything else is done.

    Raises:
        CamtrapEdgeError: names what is missing or wrong, and the next step.
    """
    wanted, absent = _wanted(order)
    _check_output(order)
    try:
        with Stages(4 + len(wanted)) as stages, tempfile.TemporaryDirectory(prefix="camtrap-edge-export-") as folder:
            return _built(order, wanted, absent, stages, Path(folder))
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise CamtrapEdgeError(
            f"{where}: {error.strerror or error}; is the disk full? TMPDIR=DIR works elsewhere"
        ) from error


def _built(order: Order, wanted: Sequence[Variant], absent: Sequence[Row], stages: Stages, work: Path) -> Built:
    stages.begin("reading the checkpoint")
    model = _model(order.source)
    stages.begin("choosing photos")
    pictures = gather(model, order.folders)
    stages.begin("float graph")
    bench = _bench(order.source, model, pictures, work)
    rows = []
    for variant in wanted:
        stages.begin(variant.name)
        rows.append(_tried(variant, bench, work, order.keep_failing))
    stages.begin("writing the bundle")
    bundle = _write(order, model, pictures, bench, rows, work)
    return Built(bundle, model.family, bench.parity, (*rows, *absent), pictures.notes)


def _model(source: Request | Bundle) -> Model:
    if isinstance(source, Request):
        return loaders.load(reading.read(source.checkpoint, trust_pickle=source.trust_pickle), source)
    manifest = source.manifest
    description = bundle_writer.Description(
        **{name: getattr(manifest, name) for name in bundle_writer.Description.__dataclass_fields__}
    )
    features = (manifest.embedding.tensor,) if manifest.embedding else ()
    return Model(
        family="imported",
        network=None,
        outputs=(*manifest.output.tensors, *features),
        description=description,
        labels=source.labels,
        taxa=source.taxa,
    )


def _wanted(order: Order) -> tuple[list[Variant], list[Row]]:
    """The variants to make, and those that cannot be made here though nobody asked for them by name."""
    unknown = [name for name in order.variants if name not in VARIANTS]
    if unknown:
        raise CamtrapEdgeError(f"{unknown[0]}: no such variant; known ones: {', '.join(VARIANTS)}")
    wanted: list[Variant] = []
    absent: list[Row] = []
    for name, variant in VARIANTS.items():
        if order.variants and name not in order.variants:
            continue
        reason = variant.missing()
        if variant.precision == "int8" and not order.folders.calibrate:
            reason = "needs real photos to measure ranges with: --calibrate DIR"
        if reason and order.variants:
            raise CamtrapEdgeError(f"{name}: {reason}")
        if reason:
            absent.append(Row(name, "not made", (reason,)))
        else:
            wanted.append(variant)
    return wanted, absent


def _check_output(order: Order) -> None:
    if order.output.exists() and not order.replace:
        raise BundleError(order.output, "exists already", hint="choose another folder or say --replace")
    if not order.output.absolute().parent.is_dir():
        raise BundleError(order.output, f"there is no folder {order.output.parent}", hint="make it first")


@dataclass(frozen=True, eq=False)
class _Bench:
    """The float graph, and what compares others with it."""

    source: FloatGraph
    parity: tuple[Parity, ...]
    reference: Bundle
    judge: Judge | None
    """None without evaluation pictures."""
    tensors: Sequence[NDArray[np.float32]]


def _bench(origin: Request | Bundle, model: Model, pictures: Pictures, work: Path) -> _Bench:
    graph, parity = work / "float.onnx", ()
    if isinstance(origin, Bundle):
        float_nodes = _take_graph(origin, graph)
    else:
        float_nodes = onnx_export.export(model, graph)
        parity = _same(model, graph, pictures)
    reference = trial.of_description(
        model.description, graph, engine="onnxruntime", precision="fp32", labels=model.labels, taxa=model.taxa
    )
    source = FloatGraph(model, graph, float_nodes, pictures.calibration)
    return _Bench(source, parity, reference, pictures.judge(reference), pictures.tensors(model, _TIMED))


def _take_graph(bundle: Bundle, graph: Path) -> frozenset[str]:
    """Copy the bundle's float graph; returns the nodes that stay in float: the last layers of a detector's head.

    Raises:
        BundleError: it has no float ONNX graph.
    """
    # A graph whose weights are stored as float16 and cast when it is loaded computes in float32 all the same.
    floats = [one for one in bundle.manifest.variants if one.engine == "onnxruntime" and one.precision != "int8"]
    if not floats:
        raise BundleError(bundle.folder, "has no float ONNX graph to make others from", hint="import the float graph")
    onnx_export.take(bundle.path(floats[0]), graph)
    return onnx_export.last_layers(graph) if bundle.manifest.task == "detector" else frozenset()


def _same(model: Model, graph: Path, pictures: Pictures) -> tuple[Parity, ...]:
    """Compare network and float graph.

    Raises:
        CamtrapEdgeError: they do not answer alike.
    """
    found = onnx_export.parity(model, graph, pictures.tensors(model, _COMPARED))
    for one in found:
        if not one.largest <= LARGEST_DIFFERENCE * max(1.0, one.scale):
            raise CamtrapEdgeError(
                f"{model.description.name}: the exported graph's '{one.output}' differs from PyTorch's by "
                f"{one.largest:.3g} (values up to {one.scale:.3g}); nothing was written"
            )
    return tuple(found)


def _tried(variant: Variant, bench: _Bench, work: Path, keep_failing: bool) -> Row:
    try:
        if variant.name == REFERENCE or bench.judge is None:
            made = variant.make(bench.source, work)
            unproven = () if variant.name == REFERENCE else ("not compared: no evaluation photos (--evaluate DIR)",)
            proof = Proof(against=REFERENCE, samples=0, reasons=unproven) if unproven else None
            graph = Graph(
                made.graph, variant.name, variant.engine, variant.precision, made.files, made.notes, (), proof
            )
            return Row(variant.name, "kept", unproven, graph, _bytes(graph))
        proven = proving.prove(variant, bench.source, work, bench.judge, bench.reference, bench.tensors)
    except VariantRefusedError as error:
        return Row(variant.name, "refused", (error.reason,))
    outcome: Literal["kept", "refused"] = "kept" if proven.passed or keep_failing else "refused"
    return Row(variant.name, outcome, proven.verdict.reasons, proven.graph, _bytes(proven.graph))


def _bytes(graph: Graph) -> int:
    return sum(file.stat().st_size for file in (graph.source, *graph.files))


def _write(order: Order, model: Model, pictures: Pictures, bench: _Bench, rows: Sequence[Row], work: Path) -> Bundle:
    graphs = [row.graph for row in rows if row.graph and row.outcome == "kept"]
    if not graphs:
        reasons = "; ".join(f"{row.variant}: {', '.join(row.reasons)}" for row in rows)
        raise VariantRefusedError(order.output.name, f"nothing is left to ship, no bundle was written. {reasons}")
    files: dict[str, bytes] = {}
    if order.with_golden and pictures.golden:
        on_trial = [
            trial.with_variant(
                bench.reference, graph.source, engine=VARIANTS[graph.name].proven_with, precision=graph.precision
            )
            for graph in graphs
        ]
        files = golden.make(bench.reference, on_trial, pictures.golden)
    return bundle_writer.write(
        order.output,
        model.description,
        sorted(graphs, key=_rank),
        labels=label_files.write_labels(model.labels, work / "labels.csv") if model.labels else None,
        taxa=label_files.write_taxa(model.taxa, work / "taxa.csv") if model.taxa else None,
        texts=files,
        calibration=pictures.record,
        golden=golden.LIST if files else "",
        replace=order.replace,
    )


def _rank(graph: Graph) -> float:
    """The fastest first, as measured here; what could not be measured here comes behind, in its own order."""
    if graph.name == REFERENCE:
        return -1.0
    speedup = graph.proof.speedup if graph.proof else None
    return -speedup if speedup else 0.0
