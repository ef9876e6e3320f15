"""`python -m export_tools.default_models.detector`: from a folder of photos to the package's detector bundle."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from edge_runtime import console
from edge_runtime.errors import CamtrapEdgeError
from export_tools.default_models.detector import making, training
from export_tools.default_models.detector.training import Recipe

PROGRAM = "python -m export_tools.default_models.detector"
EXAMPLES = f"""\
  {PROGRAM} --training photos/ --work training-run/ -o detector
  {PROGRAM} --training photos/ --work training-run/ --assets assets/ -o detector --replace --float float.onnx

photos/ holds manifest.jsonl (see photos.py). Needs: pip install 'camtrap-edge[train]'. Cut off, it goes on from
training-run/{training.CHECKPOINT}; {training.CURVES} beside it has the losses. --assets is looked at only when
everything is finished, for the model card."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    # Worker processes are forked; a thread pool that exists before would be dead in them.
    cv2.setNumThreads(1)
    arguments = _parser().parse_args(argv)
    return console.run(PROGRAM, lambda: _run(arguments), verbose=arguments.verbose)


def _parser() -> argparse.ArgumentParser:
    recipe = Recipe()
    parser = console.parser(PROGRAM, "Trains the packaged detector and makes its bundle.", EXAMPLES)
    parser.add_argument("--training", type=Path, required=True, metavar="DIR", help="photos with manifest.jsonl")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="checkpoint, curves and cutouts")
    parser.add_argument("--assets", type=Path, metavar="DIR", help="photos with truth/manifest.json, for the card")
    parser.add_argument("--against", type=Path, metavar="BUNDLE", help="a detector to stand beside it in the card")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument("--float", type=Path, dest="float_graph", metavar="FILE", help="also write the float graph")
    parser.add_argument("--replace", action="store_true", help="overwrite an existing bundle")
    parser.add_argument("--steps", type=int, default=recipe.steps, metavar="N", help=f"default {recipe.steps}")
    parser.add_argument("--seed", type=int, default=recipe.seed, metavar="N", help=f"default {recipe.seed}")
    parser.add_argument("--threads", type=int, default=recipe.threads, metavar="N", help=f"default {recipe.threads}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.output.exists() and not arguments.replace:
        raise CamtrapEdgeError(f"{arguments.output}: exists already; choose another folder or say --replace")
    if bool(arguments.assets) != bool(arguments.against):
        raise CamtrapEdgeError("--assets and --against go together: the card's table stands them side by side")
    recipe = Recipe(steps=arguments.steps, seed=arguments.seed, threads=arguments.threads)
    made = making.make(arguments.training, arguments.work, recipe)
    logging.getLogger(__name__).info("writing %s", arguments.output)
    bundle = making.write(made, arguments.output, replace=arguments.replace, float_graph=arguments.float_graph)
    if arguments.assets:
        bundle = making.write(
            made,
            arguments.output,
            replace=True,
            evaluation=making.evaluated(bundle, made.float_graph, arguments.assets, arguments.against),
        )
    figures = {"bundle": str(bundle.folder), "id": bundle.id, "title": bundle.title, **made.figures}
    sys.stdout.write((json.dumps(figures, indent=2) if arguments.json else f"{bundle.folder}: {bundle.title}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
