"""Whether a photo costs more the more the journal holds, and what looking again at a known card costs.

    python -m benchmarks.bars.growth [--quick] [--json]

**A photo** goes the whole way (`Pipeline.take_all`, one worker, the packaged models, commit with `synchronous=FULL`)
with 1,000 and with 1,000,000 photos in the journal; blocks of photos in turn, the median of their ratios. Beside it
stands the journal's part alone, one transaction a photo; its limit is that of the whole photo's cost only, for it is a
hundredth of it. **A rescan** is what a running daemon does when nothing changed on a card of 100,000 files; beside it
the first pass of a new process, which asks the journal and reads a few files of each folder again. Both against
`find -type f -printf '%s %T@'` over the same card, in turn.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from tqdm import tqdm

from benchmarks.bars import bar, known_card
from benchmarks.bars.bar import Bar
from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models import loading
from edge_runtime.pipeline import Pipeline
from edge_runtime.recording import Outcome, Seen
from edge_runtime.rescan import Rescan
from edge_runtime.rules import Rules
from edge_runtime.values import Box, Capture, Detection, FileStamp, Photo

PER_PHOTO = 1.1
RESCAN = 1.5
RESCAN_MB = 30.0
_DEVICE = "bench-growth"
_LATER_S = 1_900_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.growth", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and files: whether it runs at all")
    parser.add_argument("--work", type=Path, metavar="DIR", help="on the disk that is to be measured (default: /tmp)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    load = os.getloadavg()[0]
    rounds, part = (5, 10) if arguments.quick else (11, 1)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-growth-", dir=arguments.work) as name:
        work = Path(name)
        measured = [*per_photo(work, 1000, 1_000_000 // part, rounds), *rescans(work, 100_000 // part, rounds)]
    return bar.show(measured, as_json=arguments.json, load=load)


def per_photo(work: Path, few: int, many: int, rounds: int, *, block: int = 25) -> list[Bar]:
    """What a photo costs with `many` photos in the journal against `few`."""
    scenes = known_card.scenes(work)
    (work / "photos").mkdir()
    for number in range(rounds * block):
        data = known_card.distinct(scenes[number % len(scenes)], f"copy {number}")
        (work / "photos" / f"{number:06d}.JPG").write_bytes(data)
    stamps = scan.scan(work / "photos").photos
    detector = loading.load_detector("default", threads=1)
    classifier = loading.load_classifier("default", threads=1)
    confident = detector.bundle.manifest.thresholds.confident
    rules = Rules(zone=ZoneInfo("UTC"), cameras=(), max_pixels=200_000_000, gap_s=60, confident=confident)
    pipelines = {}
    for size in (few, many):
        journal = Journal(work / f"{size}.sqlite", device=_DEVICE)
        known_card.remember_others(journal, size)
        pipelines[size] = Pipeline(journal, detector, classifier, rules)
    os.sync()
    whole: dict[int, list[float]] = {few: [], many: []}
    alone: dict[int, list[float]] = {few: [], many: []}
    # The first round warms up: files into the page cache, models and journals into memory.
    for turn in tqdm(range(-1, rounds), desc="photos", unit="round", disable=not sys.stderr.isatty()):
        part = stamps[max(0, turn) * block : (max(0, turn) + 1) * block]
        for size, pipeline in pipelines.items():
            started = time.perf_counter()
            outcomes = [outcome for _, outcome in pipeline.take_all((stamp, True) for stamp in part)]
            seconds = (time.perf_counter() - started) / block
            synthetic = _record(pipeline, turn, 10 * block)
            if turn >= 1:  # the first block is known since the warm-up
                if set(outcomes) - {Outcome.FOUND, Outcome.EMPTY}:
                    raise SystemExit(f"photos of the benchmark's own card were {set(outcomes)}")
                whole[size].append(seconds)
                alone[size].append(synthetic)
    return [
        _growth(f"a photo with {many:,} in the journal against {few:,}", whole[few], whole[many], PER_PHOTO),
        _growth("  the journal's part of it alone", alone[few], alone[many], None),
    ]


def _record(pipeline: Pipeline, turn: int, count: int) -> float:
    """Seconds that recording one photo takes: `count` photos, one transaction each, five to an event."""
    found = (Detection("animal", 0.9, Box(0.1, 0.1, 0.5, 0.5)),)
    started = time.perf_counter()
    for number in range((turn + 1) * count, (turn + 2) * count):
        stamp = FileStamp(Path("/card"), PurePosixPath(f"NEW/DCIM/100MEDIA/IMG_{number:06d}.JPG"), 1000, number)
        capture = Capture(_LATER_S + number // 5 * 600 + number % 5, "exif", "MAKER", "MODEL", "", 2048, 1536)
        seen = Seen(Photo(stamp, os.urandom(32), "CAM02", capture), found if number % 3 == 0 else ())
        pipeline.record([((stamp, True), seen)])
    return (time.perf_counter() - started) / count


def _growth(what: str, few: Sequence[float], many: Sequence[float], limit: float | None) -> Bar:
    ratio = statistics.median(later / earlier for earlier, later in zip(few, many, strict=True))
    how = f"{statistics.median(few) * 1e3:.2f} and {statistics.median(many) * 1e3:.2f} ms, {len(few)} rounds"
    return Bar(what, ratio, limit, "x", how)


def rescans(work: Path, files: int, rounds: int) -> list[Bar]:
    """What a look at a known card of `files` costs against `find`."""
    card = work / "card"
    known_card.fill(card, files)
    journal = Journal(work / "card.sqlite", device=_DEVICE)
    known_card.remember(journal, card)
    os.sync()
    find: list[float] = []
    again: list[float] = []
    first: list[float] = []
    running = Rescan(card, journal)
    _look(running)
    for _ in tqdm(range(rounds), desc="rescans", unit="round", disable=not sys.stderr.isatty()):
        find.append(_find(card))
        again.append(_look(running))
        first.append(_look(Rescan(card, journal)))
    journal.close()
    median = statistics.median(find)

    def against_find(what: str, seconds: Sequence[float], limit: float | None) -> Bar:
        ratio = statistics.median(ours / theirs for ours, theirs in zip(seconds, find, strict=True))
        how = f"{statistics.median(seconds) * 1e3:.0f} ms, find {median * 1e3:.0f} ms, {rounds} rounds"
        return Bar(what, ratio, limit, "x", how)

    megabytes = _memory_mb(work / "card.sqlite", card)
    return [
        against_find(f"a rescan of {files:,} known files against find with stat", again, RESCAN),
        against_find("  the first pass of a new process", first, None),
        Bar("  memory that two passes take", megabytes, RESCAN_MB, "MB", "peak, in a process of its own"),
    ]


def _find(card: Path) -> float:
    started = time.perf_counter()
    command = ["find", card, "-type", "f", "-printf", r"%s %T@\n"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _look(rescan: Rescan) -> float:
    started = time.perf_counter()
    new = list(rescan.new([]))
    seconds = time.perf_counter() - started
    if new:
        raise SystemExit(f"{new[0]}: the journal should know all of the benchmark's card")
    return seconds


def _memory_mb(journal: Path, card: Path) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_passes_mb, (journal, card))


def _passes_mb(journal: Path, card: Path) -> float:
    rescan = Rescan(card, Journal(journal, device=_DEVICE))
    before = _resident_mb("VmRSS")
    for _ in range(2):
        _look(rescan)
    return _resident_mb("VmHWM") - before


def _resident_mb(field: str) -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
