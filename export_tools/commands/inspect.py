"""`edge-export inspect` and `verify`: what a bundle holds, and whether it still decides here as it should."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from edge_runtime import engines
from edge_runtime.errors import BundleError
from edge_runtime.models import selftest
from export_tools.proof import inspection

DIFFERS = 1


def add(commands: Any) -> None:
    """Put the commands in."""
    helps = {
        "inspect": "what a bundle holds, how it was made, what its proof says",
        "verify": "hashes, and the golden samples replayed on this machine",
    }
    for name, function in (("inspect", _inspect), ("verify", _verify)):
        parser = commands.add_parser(name, help=helps[name])
        parser.add_argument("bundle", type=Path, metavar="BUNDLE")
        parser.add_argument("--json", action="store_true", help="print it as JSON")
        parser.add_argument("-v", "--verbose", action="store_true")
        parser.set_defaults(run=function)


def _inspect(arguments: argparse.Namespace) -> int:
    bundle = inspection.load(arguments.bundle)
    if arguments.json:
        sys.stdout.write(json.dumps(inspection.as_dict(bundle), indent=2) + "\n")
    else:
        sys.stdout.write(inspection.as_text(bundle) + "\n")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    """Exit codes: 0 all is well, 1 a sample is decided otherwise, 2 the bundle is damaged or cannot be verified."""
    bundle = inspection.load(arguments.bundle)
    if selftest.read(bundle) is None:
        raise BundleError(bundle.folder, "has no golden samples: its hashes are right, more cannot be said")
    replayed = selftest.replay(bundle)
    if not replayed:
        wanted = ", ".join(sorted({variant.engine for variant in bundle.manifest.variants}))
        raise BundleError(bundle.folder, "no engine for any of its variants is installed here", hint=wanted)
    problems = [one for one in replayed if one.problem]
    run = sorted({one.variant for one in replayed})
    passed_over = [variant.name for variant in bundle.manifest.variants if variant.name not in run]
    if arguments.json:
        found = {
            "bundle": str(bundle.folder),
            "id": bundle.id,
            "engines": sorted(engines.available()),
            "passed_over": passed_over,
            "samples": [dataclasses.asdict(one) for one in replayed],
        }
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write(f"{bundle.folder}: {bundle.title}; all hashes are right\n")
        for name in run:
            mine = [one for one in replayed if one.variant == name]
            right = sum(not one.problem for one in mine)
            sys.stdout.write(f"  {name}: {right} of {len(mine)} golden samples decided as expected\n")
        for name in passed_over:
            sys.stdout.write(f"  {name}: not run, its engine is not here\n")
        for one in problems:
            sys.stdout.write(f"  {one.variant}, {one.file}: {one.problem}\n")
    return DIFFERS if problems else 0
