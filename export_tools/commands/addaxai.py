"""`edge-export addaxai`: a classifier bundle as a model of AddaxAI."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edge_runtime.bundles import bundle as bundles
from export_tools.addaxai import adapter
from export_tools.addaxai.adapter import Entry


def add(commands: Any) -> None:
    """Put the command in."""
    default = Entry()
    parser = commands.add_parser("addaxai", help="a classifier bundle as a model folder for AddaxAI")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--variant", default="", metavar="NAME", help="default: the bundle's first for onnxruntime")
    parser.add_argument("--model-id", default="", metavar="ID", help="default: the bundle's name and version")
    parser.add_argument("--friendly-name", default="", metavar="TEXT", help="as people see it (default: the same)")
    parser.add_argument("--developer", default=default.developer, metavar="TEXT", help="who made the model")
    parser.add_argument("--info-url", default="", metavar="URL", help="default: the bundle's source")
    parser.add_argument(
        "--env", default=default.env, metavar="NAME", help=f"AddaxAI's environment (default: {default.env})"
    )
    parser.add_argument("--min-app-version", default=default.min_app_version, metavar="X.Y.Z", help="of AddaxAI")
    parser.add_argument(
        "--no-animal",
        default=default.no_animal,
        metavar="NAME",
        help=f"class for all that is no animal (default: '{default.no_animal}'; with 'false detection' "
        "AddaxAI throws such boxes away)",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite an existing folder")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and say what to do with it; returns the exit code."""
    entry = Entry(
        model_id=arguments.model_id,
        friendly_name=arguments.friendly_name,
        developer=arguments.developer,
        info_url=arguments.info_url,
        env=arguments.env,
        min_app_version=arguments.min_app_version,
        no_animal=arguments.no_animal,
    )
    bundle = bundles.load(arguments.bundle, task="classifier")
    made = adapter.write(bundle, arguments.output, entry, variant=arguments.variant, replace=arguments.replace)
    if arguments.json:
        found = {"folder": str(made.folder), "model_id": made.model_id, "variant": made.variant.name}
        sys.stdout.write(json.dumps({**found, "classes": list(made.classes)}, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{made.folder}: {bundle.title}, variant {made.variant.name}, {len(made.classes)} classes\n")
    sys.stdout.write(f"  copy it to AddaxAI/models/cls/{made.model_id} in your home folder\n")
    sys.stdout.write(f"  and install onnxruntime into AddaxAI's environment env-{entry.env}: none of them has it\n")
    return 0
