"""What each step of a photo costs by itself, with all its pixels decoded and with those that the detector looks at.

    python -m benchmarks.bars.stages --folder DIR [--detector BUNDLE] [--rounds 7] [--json]

One thread, `full` and `reduced` in turn. Milliseconds are the mean over the photos of each one's median over the
rounds: what the step costs on this card. `edge-runtime why-slow` splits the time of the whole way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import cv2
from tqdm import tqdm

from edge_runtime import engines
from edge_runtime.device.memory import return_large_blocks
from edge_runtime.errors import PhotoError
from edge_runtime.intake import completeness, decode, exif, identity, scan
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import load_detector
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import FileStamp

MAX_PIXELS = 200_000_000
UTC = ZoneInfo("UTC")
Given = ParamSpec("Given")
Result = TypeVar("Result")
Step = tuple[str, str]
"""Name and mode: `full`, `reduced` or `both`, where the mode changes nothing."""


@dataclass(frozen=True)
class Stages:
    """What was measured."""

    photos: int
    mean_megapixels: float
    mean_megabytes: float
    """Of a file, 10^6 bytes."""
    detector: str
    ms: dict[str, dict[str, float]]
    """Step, then mode: milliseconds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.stages", description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="photos, which are only read")
    parser.add_argument("--detector", default="default", metavar="BUNDLE")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    return_large_blocks()
    measured = measure(arguments.folder, load_detector(arguments.detector, threads=1), rounds=arguments.rounds)
    print(json.dumps(asdict(measured)) if arguments.json else table(measured))
    return 0


def measure(folder: Path, detector: Detector, *, rounds: int) -> Stages:
    """Time every step on every photo of `folder`; files that are no readable photo are left out."""
    graph = engines.open_graph(detector.bundle, threads=1)
    taken: dict[Step, dict[FileStamp, list[float]]] = defaultdict(lambda: defaultdict(list))
    stamps = [stamp for stamp in scan.scan(folder).photos if _readable(stamp)]
    if not stamps:
        raise SystemExit(f"{folder}: no readable photo in it")
    pixels = 0
    for number in tqdm(range(rounds), desc="rounds", disable=not sys.stderr.isatty()):
        for stamp in stamps:
            clock = _Clock(taken, stamp)
            size = _walk(stamp, detector, graph, clock, reverse=bool(number % 2))
            pixels += size[0] * size[1]
    ms: dict[str, dict[str, float]] = defaultdict(dict)
    for (name, mode), photos in taken.items():
        ms[name][mode] = statistics.mean(statistics.median(seconds) for seconds in photos.values()) * 1000
    return Stages(
        photos=len(stamps),
        mean_megapixels=pixels / rounds / len(stamps) / 1e6,
        mean_megabytes=statistics.mean(stamp.size for stamp in stamps) / 1e6,
        detector=detector.bundle.title,
        ms=dict(ms),
    )


def table(measured: Stages) -> str:
    """The figures as text."""
    lines = [
        f"{measured.photos} photos, mean {measured.mean_megapixels:.1f} megapixels, {measured.mean_megabytes:.2f} MB; "
        f"{measured.detector}; one thread",
        f"{'':12}{'full':>9}{'reduced':>9}{'ratio':>7}   ms per photo",
    ]
    for name, modes in measured.ms.items():
        if "both" in modes:
            lines.append(f"{name:12}{modes['both']:9.2f}{modes['both']:9.2f}")
        else:
            full, reduced = modes["full"], modes["reduced"]
            lines.append(f"{name:12}{full:9.2f}{reduced:9.2f}{full / reduced:7.2f}")
    full, reduced = _total(measured.ms, "full"), _total(measured.ms, "reduced")
    return "\n".join([*lines, f"{'all':12}{full:9.2f}{reduced:9.2f}{full / reduced:7.2f}"])


def _total(ms: dict[str, dict[str, float]], mode: str) -> float:
    return sum(modes.get(mode, modes.get("both", 0.0)) for modes in ms.values())


class _Clock:
    """Times calls for one photo."""

    def __init__(self, taken: dict[Step, dict[FileStamp, list[float]]], stamp: FileStamp) -> None:
        self._taken, self._stamp = taken, stamp

    def __call__(
        self, name: str, mode: str, call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        started = time.perf_counter()
        result = call(*args, **kwargs)
        self._taken[name, mode][self._stamp].append(time.perf_counter() - started)
        return result


def _walk(
    stamp: FileStamp, detector: Detector, graph: engines.Graph, clock: _Clock, *, reverse: bool
) -> tuple[int, int]:
    """One photo, step by step; returns its upright size."""
    manifest, path = detector.bundle.manifest, stamp.full_path
    data = clock("read", "both", identity.read, stamp)
    whole = clock("prove whole", "both", completeness.check, data, path)
    clock("hash", "both", identity.picture_hash, data, whole.end)
    with clock("open", "both", decode.open_photo, data, path, max_pixels=MAX_PIXELS) as image:
        capture = clock("exif", "both", exif.read_capture, image, stamp.mtime_ns, UTC)
        enough = {"full": None, "reduced": detector.resized_to(capture.width, capture.height)}
        for mode in sorted(enough, reverse=reverse):
            frame = clock("decode", mode, decode.decode, data, image, path, at_least=enough[mode])
            tensor, _ = clock("prepare", mode, prepare, frame.pixels, manifest.input, manifest.preprocess)
            del frame  # before the next one is decoded, as on a device
    clock("infer", "both", graph.run, tensor, manifest.output.tensors)
    return capture.width, capture.height


def _readable(stamp: FileStamp) -> bool:
    try:
        data = identity.read(stamp)
        completeness.check(data, stamp.full_path)
        with decode.open_photo(data, stamp.full_path, max_pixels=MAX_PIXELS) as image:
            decode.decode(data, image, stamp.full_path)
    except PhotoError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
