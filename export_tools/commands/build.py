"""`edge-export detector`, `classifier`, `embedder` and `active-learning`: a bundle from a PyTorch checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge_runtime.bundles.manifest import Task
from export_tools.commands import making
from export_tools.commands.making import size
from export_tools.model import Request

TASKS: dict[str, Task] = {
    "detector": "detector",
    "classifier": "classifier",
    "embedder": "embedder",
    "active-learning": "classifier",
}
_HELP = {
    "detector": "a detector's checkpoint: MegaDetector v5, v6, v1000 ...",
    "classifier": "a classifier's checkpoint: Pytorch-Wildlife, timm, torchvision ...",
    "embedder": "a re-identification embedder's checkpoint: MiewID, MegaDescriptor",
    "active-learning": "the export folder of the active-learning project",
}


def add(commands: Any) -> None:
    """Put the commands in."""
    for name in TASKS:
        parser = commands.add_parser(name, help=_HELP[name])
        what = "FOLDER" if name == "active-learning" else "CHECKPOINT"
        parser.add_argument("checkpoint", type=Path, metavar=what)
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
        if name == "active-learning":
            parser.add_argument(
                "--training-images", type=Path, metavar="DIR", help="images to which the folder's scaler is fitted"
            )
            parser.add_argument(
                "--legacy-batch", action="store_true", help="scale by the batch at hand, as its own pipeline does"
            )
        else:
            parser.add_argument("--family", metavar="NAME", help="where the checkpoint does not say it: timm:resnet50")
        if name == "detector":
            parser.add_argument(
                "--parity",
                choices=("megadetector", "pytorch-wildlife", "pytorch-wildlife-bgr", "ultralytics"),
                help="whose pre-processing to repeat (default: the family's)",
            )
        parser.add_argument("--size", type=size, metavar="N|WxH", help="input in pixels (default: the checkpoint's)")
        parser.add_argument("--labels", type=Path, metavar="FILE", help="a name per line, or a table index,label,kind")
        parser.add_argument("--confident", type=float, metavar="0..1", help="operating threshold")
        parser.add_argument("--name", help="name of the bundle (default: the checkpoint's)")
        parser.add_argument("--bundle-version", metavar="TEXT", help="default: the head of the checkpoint's hash")
        parser.add_argument("--licence", help="SPDX name of the weights' licence, where the family has none")
        parser.add_argument("--source", help="where the weights come from, where the family does not know")
        parser.add_argument(
            "--trust-pickle", action="store_true", help="read a pickle that names unknown classes (still runs nothing)"
        )
        making.add_options(parser)
        parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build the bundle and print its table; returns the exit code."""
    return making.run(_request(arguments), arguments)


def _request(arguments: argparse.Namespace) -> Request:
    active = arguments.command == "active-learning"
    return Request(
        checkpoint=arguments.checkpoint,
        task=TASKS[arguments.command],
        family="active-learning" if active else arguments.family,
        size=arguments.size,
        labels=arguments.labels,
        parity=getattr(arguments, "parity", None),
        name=arguments.name,
        version=arguments.bundle_version,
        licence=arguments.licence,
        source=arguments.source,
        confident=arguments.confident,
        trust_pickle=arguments.trust_pickle,
        training_images=arguments.training_images if active else None,
        legacy_batch=arguments.legacy_batch if active else False,
    )
