"""`edge-export import`: a bundle from a graph that exists already."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.manifest import Resize
from edge_runtime.errors import CamtrapEdgeError
from export_tools.commands.making import size
from export_tools.import_graph import LABEL_TABLES, PRESETS, import_graph


def add(commands: Any) -> None:
    """Put the command in."""
    made = commands.add_parser("import", help="a bundle from a graph that exists already: ONNX, OpenVINO")
    made.add_argument("graph", type=Path, metavar="GRAPH", help=".onnx, or an OpenVINO .xml with its .bin beside it")
    made.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    made.add_argument("--preset", choices=sorted(PRESETS), required=True, help="family of the graph")
    made.add_argument("--labels", required=True, metavar="TABLE", help="a table's name or CSV file")
    made.add_argument("--licence", required=True, help="SPDX name of the weights' licence")
    made.add_argument("--source", required=True, help="where the weights come from")
    made.add_argument("--name", help="name of the bundle (default: the output folder's)")
    made.add_argument("--bundle-version", default="1", metavar="TEXT")
    made.add_argument("--size", type=size, metavar="WxH", help="input size where the graph leaves it open")
    made.add_argument("--colour", choices=("rgb", "bgr"), help="order of the channels (default: the preset's)")
    made.add_argument("--resize", choices=get_args(Resize), help="how a photo gets the input's size")
    made.add_argument("--scale", type=float, metavar="X", help="a pixel's 0..255 times this (1/255: 0.00392157)")
    made.add_argument("--mean", type=_three, metavar="R,G,B", help="then minus this")
    made.add_argument("--std", type=_three, metavar="R,G,B", help="then over this")
    made.add_argument("--confident", type=float, metavar="0..1", help="least confidence that makes an event")
    made.add_argument("--overlap", type=float, metavar="0..1", help="IoU above which the weaker box goes")
    made.add_argument("--replace", action="store_true", help="overwrite an existing bundle")
    made.add_argument("--json", action="store_true", help="print what was made as JSON")
    made.add_argument("-v", "--verbose", action="store_true")
    made.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import the graph; returns the exit code."""
    if not arguments.graph.is_file():
        raise CamtrapEdgeError(f"{arguments.graph}: no such file; name an ONNX graph or an OpenVINO .xml")
    preset = PRESETS[arguments.preset]
    changed = {key: getattr(arguments, key) for key in ("resize", "scale", "mean", "std")}
    changed = {key: value for key, value in changed.items() if value is not None}
    made = import_graph(
        arguments.graph,
        arguments.output,
        preset=preset,
        name=arguments.name or arguments.output.name.lower(),
        version=arguments.bundle_version,
        labels=_label_table(arguments.labels),
        licence=arguments.licence,
        source=arguments.source,
        size=arguments.size,
        colour=arguments.colour,
        confident=arguments.confident,
        overlap=arguments.overlap,
        preprocess=msgspec.structs.replace(preset.preprocess, **changed),
        replace=arguments.replace,
    )
    kinds = {kind: sum(label.kind == kind for label in made.labels) for kind in bundles.KINDS}
    if arguments.json:
        said = json.dumps({"bundle": str(made.folder), "id": made.id, "title": made.title, "labels": kinds})
    else:
        counts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        said = f"{made.folder}: {made.title}\n  labels: {counts}"
    sys.stdout.write(said + "\n")
    return 0


def _three(text: str) -> tuple[float, ...]:
    parts = text.split(",")
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' are no numbers; write them like 0.485,0.456,0.406") from error
    if len(numbers) != 3:
        raise argparse.ArgumentTypeError(f"'{text}' are not three numbers")
    return numbers


def _label_table(name: str) -> Path:
    packaged = LABEL_TABLES / f"{name}.csv"
    if "/" not in name and packaged.is_file():
        return packaged
    file = Path(name)
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in LABEL_TABLES.glob("*.csv")))
        raise CamtrapEdgeError(f"{name}: no such label table; known ones: {known}, or give a CSV file")
    return file
