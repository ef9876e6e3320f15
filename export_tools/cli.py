"""`edge-export`: the workstation's command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime import console
from edge_runtime.bundles import bundle as bundles
from edge_runtime.errors import CamtrapEdgeError
from export_tools.import_graph import LABEL_TABLES, PRESETS, import_graph

PROGRAM = "edge-export"
EXAMPLES = """\
  edge-export import yolox_nano.onnx --preset yolox --labels coco80 \\
      --licence Apache-2.0 --source https://github.com/Megvii-BaseDetection/YOLOX -o yolox-nano
  edge-export import my_classifier.onnx --preset softmax --labels species.csv --licence CC-BY-4.0 --source ours -o mine

label tables: coco80, megadetector, or a CSV file 'index,label,kind' (kind: animal, person, vehicle, other)"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    return console.run(PROGRAM, lambda: _import(arguments), verbose=arguments.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Makes model bundles for edge-runtime.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = commands.add_parser("import", help="a bundle from an ONNX graph that exists already")
    made.add_argument("graph", type=Path, metavar="GRAPH.onnx")
    made.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    made.add_argument("--preset", choices=sorted(PRESETS), required=True, help="family of the graph")
    made.add_argument("--labels", required=True, metavar="TABLE", help="a table's name or CSV file")
    made.add_argument("--licence", required=True, help="SPDX name of the weights' licence")
    made.add_argument("--source", required=True, help="where the weights come from")
    made.add_argument("--name", help="name of the bundle (default: the output folder's)")
    made.add_argument("--bundle-version", default="1", metavar="TEXT")
    made.add_argument("--size", type=_size, metavar="WxH", help="input size where the graph leaves it open")
    made.add_argument("--colour", choices=("rgb", "bgr"), help="order of the channels (default: the preset's)")
    made.add_argument("--confident", type=float, metavar="0..1", help="least confidence that makes an event")
    made.add_argument("--replace", action="store_true", help="overwrite an existing bundle")
    made.add_argument("--json", action="store_true", help="print what was made as JSON")
    made.add_argument("-v", "--verbose", action="store_true")
    return parser


def _import(arguments: argparse.Namespace) -> int:
    if not arguments.graph.is_file():
        raise CamtrapEdgeError(f"{arguments.graph}: no such file; name an ONNX graph")
    made = import_graph(
        arguments.graph,
        arguments.output,
        preset=PRESETS[arguments.preset],
        name=arguments.name or arguments.output.name.lower(),
        version=arguments.bundle_version,
        labels=_label_table(arguments.labels),
        licence=arguments.licence,
        source=arguments.source,
        size=arguments.size,
        colour=arguments.colour,
        confident=arguments.confident,
        replace=arguments.replace,
    )
    kinds = {kind: sum(label.kind == kind for label in made.labels) for kind in bundles.KINDS}
    if arguments.json:
        print(json.dumps({"bundle": str(made.folder), "id": made.id, "title": made.title, "labels": kinds}))
    else:
        print(f"{made.folder}: {made.title}")
        print("  labels: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()))
    return 0


def _label_table(name: str) -> Path:
    packaged = LABEL_TABLES / f"{name}.csv"
    if "/" not in name and packaged.is_file():
        return packaged
    file = Path(name)
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in LABEL_TABLES.glob("*.csv")))
        raise CamtrapEdgeError(f"{name}: no such label table; known ones: {known}, or give a CSV file")
    return file


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write it like 640x640")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
