"""The command: measures each kind of bursts and tells the figures."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.bars import prefilter
from benchmarks.bars.prefilter.bursts import composed_bursts, emptied_bursts, real_bursts, staged_bursts
from benchmarks.bars.prefilter.figures import table
from benchmarks.bars.prefilter.measuring import measure
from edge_runtime.models import loading


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; always exit code 0: there is no limit to break, only a choice to make."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.bars.prefilter", description=str(prefilter.__doc__).split("\n")[0]
    )
    assets = os.environ.get("CAMTRAP_EDGE_ASSETS", "../shared/assets")
    parser.add_argument("--assets", type=Path, default=Path(assets), metavar="DIR", help="photos, truth and films")
    parser.add_argument("--detector", default="default", metavar="BUNDLE")
    parser.add_argument(
        "--staged", type=int, default=300, metavar="N", help="photos to stage bursts with (default 300)"
    )
    parser.add_argument("--composed", type=int, default=120, metavar="N", help="bursts of the sample card's scenes")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    if not (arguments.assets / "photos").is_dir():
        sys.exit(f"bench-prefilter: {arguments.assets}: no folder 'photos'; set --assets")
    detector = loading.load_detector(arguments.detector, threads=1, streams=2)
    kinds = {
        "real bursts": list(real_bursts(arguments.assets)),
        "emptied bursts": list(emptied_bursts(arguments.assets)),
        "composed bursts": list(composed_bursts(arguments.composed)),
        "staged bursts": list(staged_bursts(arguments.assets, arguments.staged)),
    }
    load = os.getloadavg()[0]
    results = {name: measure(bursts, detector, rounds=arguments.rounds) for name, bursts in kinds.items() if bursts}
    if arguments.json:
        print(json.dumps({"load_before": load, **{name: asdict(result) for name, result in results.items()}}))
    else:
        print(f"detector {detector.bundle.title}; load before: {load:.1f}")
        for name, result in results.items():
            print(table(name, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
