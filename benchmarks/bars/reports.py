"""What a report costs: its time and its memory over a journal of 1,000,000 photos, and over a tenth of it.

    python -m benchmarks.bars.reports [--photos N] [--quick] [--json]

The journal is made up: five photos to an event, a third of them with an animal that a classifier named and its event
confirmed, every hundredth a failure, a copy or a video. Each report is the command itself in a fresh process, over the
small journal and then over the large one; its memory is the peak that the kernel saw.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.bars import bar
from benchmarks.bars.bar import Bar
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.runs import Run
from edge_runtime.reports.formats import FORMATS

GROWTH_MB = 16.0
"""Peak over the large journal less that over the small one."""
PER_EVENT = 5
CAMERAS = 20
_FIRST_S = 1_700_000_000
_CHUNK = 10_000
_RUN = Run(
    detector="boxes 1 (aaaaaaaaaaaa)",
    classifier="names 1 (bbbbbbbbbbbb)",
    confident=0.3,
    keep=0.05,
    time_zone="Africa/Nairobi",
    lineages={
        "cat family": ("Mammalia", "Carnivora", "Felidae"),
        "leopard": ("Mammalia", "Carnivora", "Felidae", "Panthera", "Panthera pardus"),
        "zebra": ("Mammalia", "Perissodactyla", "Equidae", "Equus", "Equus quagga"),
    },
)
_COMMAND = """
import resource, sys
from edge_runtime import cli
code = cli.main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
_SCORES = json.dumps([["leopard", 0.8], ["zebra", 0.1], ["", 0.05]])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.reports", description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--quick", action="store_true", help="20,000 photos: whether it runs at all")
    parser.add_argument("--work", type=Path, metavar="DIR", help="for journals and reports (default: /tmp)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    load = os.getloadavg()[0]
    photos = 20_000 if arguments.quick else arguments.photos
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-reports-", dir=arguments.work) as name:
        measured = list(measure(Path(name), photos))
    return bar.show(measured, as_json=arguments.json, load=load)


def measure(work: Path, photos: int) -> Iterator[Bar]:
    """Seconds and growth of every format."""
    project = work / "project.yaml"
    project.write_text(project_text())
    for size in (photos // 10, photos):
        make(work / f"{size}.sqlite", size)
    for name in (*FORMATS, "csv --per event"):
        small, large = (_one(work, name, size) for size in (photos // 10, photos))
        how = (
            f"{small[1]:.0f} MB over {photos // 10:,}, {large[1]:.0f} MB over {photos:,}; wrote {large[2] / 1e6:.0f} MB"
        )
        yield Bar(f"{name}: growth of the peak", large[1] - small[1], GROWTH_MB, "MB", how)
        yield Bar(
            "  time", large[0], None, "s", f"{large[0] / photos * 1e6:.0f} us a photo; {small[0]:.1f} s over a tenth"
        )


def project_text() -> str:
    """A project file with a place for every camera of `make`."""
    places = [f"  - {{name: CAM{number:02}, latitude: {number / 10}, longitude: 34.0}}" for number in range(CAMERAS)]
    return "title: Benchmark\ncameras:\n" + "\n".join(places) + "\n"


def make(file: Path, photos: int) -> None:
    """Write a journal of so many files."""
    journal = Journal(file, device="bench-reports")
    database = journal._connection
    with journal.transaction():
        run_id = journal.runs.add(_RUN)
    for first in tqdm(range(0, photos, _CHUNK), desc="journal", unit="chunk", disable=not sys.stderr.isatty()):
        numbers = range(first, min(first + _CHUNK, photos))
        with journal.transaction():
            database.executemany(
                "INSERT INTO event (id, camera, start_s, end_s, time_source, state) "
                "VALUES (?, ?, ?, ?, 'exif', 'sent')",
                [_event(number) for number in numbers if number % PER_EVENT == 0],
            )
            database.executemany(
                "INSERT INTO photo (id, sha256, camera, captured_s, time_source, make, model, serial, width, height, "
                "empty, processed_s, event_id, reported, run_id, frame_rate, duration_s, frames) "
                "VALUES (?, ?, ?, ?, 'exif', 'MAKER', 'MODEL', '', 2048, 1536, ?, ?, ?, 1, ?, ?, ?, ?)",
                [_photo(number, run_id) for number in numbers],
            )
            found = [number for number in numbers if number % 3 == 0]
            database.executemany(
                "INSERT INTO detection (photo_id, rank, category, confidence, x1, y1, x2, y2, species, "
                "species_confidence, frame, scores, track) VALUES (?, 0, 'animal', 0.9, 0.1, 0.1, 0.5, 0.5, 'leopard', "
                "0.8, ?, ?, 1)",
                [(number + 1, 0 if _is_video(number) else None, _SCORES) for number in found],
            )
            database.executemany(
                "INSERT INTO track (event_id, track, species, confidence, rule, support, frames) "
                "VALUES (?, 1, 'leopard', 0.85, 'mean-log', 1.0, 2)",
                [(number // PER_EVENT + 1,) for number in numbers if number % PER_EVENT == 0],
            )
            database.executemany(
                "INSERT INTO file (path, size, mtime_ns, photo_id, duplicate, video, failure, problem, reported) "
                "VALUES (?, 1000, 1, ?, ?, ?, ?, ?, 1)",
                [row for number in numbers for row in _files(number)],
            )
    journal.close()


def _event(number: int) -> tuple[object, ...]:
    event = number // PER_EVENT
    start_s = _FIRST_S + event * 600
    return event + 1, _camera(event), start_s, start_s + PER_EVENT - 1


def _photo(number: int, run_id: int) -> tuple[object, ...]:
    event = number // PER_EVENT
    time_s = _FIRST_S + event * 600 + number % PER_EVENT
    footage = (30.0, 10.0, "[0, 30, 60]") if _is_video(number) else (None, None, None)
    # As random as a hash, so that its index is not filled in order.
    digest = (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big") * 4
    return number + 1, digest, _camera(event), time_s, number % 3 != 0, time_s + 1, event + 1, run_id, *footage


def _files(number: int) -> Iterator[tuple[object, ...]]:
    folder = f"{_camera(number // PER_EVENT)}/DCIM/{100 + number // 1000 % 900}MEDIA"
    name = f"{folder}/IMG_{number:07}"
    yield f"{name}.{'MP4' if _is_video(number) else 'JPG'}".encode(), number + 1, 0, _is_video(number), None, None
    if number % 200 == 0:
        yield f"{name}-copy.JPG".encode(), number + 1, 1, 0, None, None
    if number % 300 == 0:
        yield f"{name}-cut.JPG".encode(), None, 0, 0, "image access failure", "empty file"


def _camera(event: int) -> str:
    return f"CAM{event % CAMERAS:02}"


def _is_video(number: int) -> bool:
    return number % 100 == 99


def _one(work: Path, name: str, size: int) -> tuple[float, float, int]:
    """Seconds, peak memory in MB and bytes written of one report in a process of its own."""
    output = work / "report"
    command = [sys.executable, "-c", _COMMAND, "report", "--format", *name.split(), "--json", "-o", str(output)]
    command += ["--journal", str(work / f"{size}.sqlite"), "--project", str(work / "project.yaml")]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    files = [output] if output.is_file() else list(output.iterdir())
    written = sum(file.stat().st_size for file in files)
    for file in files:
        file.unlink()
    if output.is_dir():
        output.rmdir()
    return seconds, float(done.stderr.splitlines()[-1]) * 1024 / 1e6, written


if __name__ == "__main__":
    sys.exit(main())
