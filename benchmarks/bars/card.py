"""How near a whole card comes to what the processor can do at best, and what memory that takes.

    python -m benchmarks.bars.card [--folder DIR] [--detector BUNDLE ...] [--photos 10000] [--no-memory] [--json]

**Floor**: decoding a photo alone plus the graph's inference alone, one thread each with nothing else running, spread
evenly over the cores. **Reached**: the whole way from the card to the committed journal, as a device does it. Both on
the same photos in turn, medians of the rounds. Two more figures say why it is what it is: the same floor with each loop
on all cores at once (cores that share a cache and a memory are not twice one core), and the share of the processor's
time that decoding and inference take of the whole way, which does not depend on what else the machine does. The first
figure is the bar, and means something only on a machine that does nothing else.

**Memory**: the daemon over a long card (benchmarks.bars.memory), its peak and whether it grows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from tqdm import tqdm

from benchmarks.bars import memory
from benchmarks.reference import FLOAT_GRAPH, default_float
from edge_runtime import engines, settings
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError, PhotoError
from edge_runtime.intake import decode, exif, identity, scan
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.models import loading
from edge_runtime.models.detector import Detector
from edge_runtime.models.preprocess import prepare
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import Rules
from edge_runtime.tryout import sample_card
from edge_runtime.tuning import machine, plan
from edge_runtime.values import FileStamp, Frame

LEAST_OF_THE_FLOOR = 0.9
BUSY = 0.3
"""Load of each core before the start from which on the figures are doubted."""
MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class Speed:
    """One detector beside its floor. Photos per second are medians over the rounds."""

    detector: str
    variant: str
    photos: int
    decode_ms: float
    infer_ms: float
    """Of a photo in the mean, one thread, alone."""
    floor: float
    together_floor: float
    """As `floor`, but each loop was run on all cores at once."""
    reached: float
    of_the_floor: float
    """Median over the rounds of reached / floor, each within its round."""
    of_the_together_floor: float
    cpu_share: float
    """Processor seconds of decoding and inference alone, over those of the whole way."""
    kept: bool


@dataclass(frozen=True)
class Loaded:
    """A photo whose bytes are at hand."""

    stamp: FileStamp
    data: bytes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.card", description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, metavar="DIR", help="photos (default: the assets', else a sample card)")
    parser.add_argument("--detector", action="append", default=[], metavar="BUNDLE", help="beside the package's own")
    parser.add_argument("--photos", type=int, default=10_000, metavar="N", help="on the long card (default 10000)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=settings.cores(), metavar="N", help="default: all cores")
    parser.add_argument("--no-memory", action="store_true", help="only the floor")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-card-") as name:
        work = Path(name)
        folder = arguments.folder or _photos(work)
        load = os.getloadavg()[0]
        taken = [bundles.load(loading.DEFAULT_DETECTOR, task="detector"), _float(work / "float")]
        taken += [bundles.load(Path(each), task="detector") for each in arguments.detector]
        speeds = [speed(each, folder, work, cpus=arguments.threads, rounds=arguments.rounds) for each in taken]
        memories = {}
        if not arguments.no_memory:
            for each in (taken[0], *taken[2:]):
                memories[each.manifest.name] = _memory(work, each, arguments.photos, folder)
    grown = {name: kept for name, (_, kept) in memories.items()}
    if arguments.json:
        told = {name: {**asdict(result), "kept": grown[name]} for name, (result, _) in memories.items()}
        limits = {"floor": LEAST_OF_THE_FLOOR, "peak_mb": memory.LIMIT_MB, "growth_mb": memory.GROWTH_MB}
        speeds_told = [asdict(each) for each in speeds]
        print(json.dumps({"load_before": load, "limits": limits, "speeds": speeds_told, "memory": told}))
    else:
        _print(speeds, memories, folder, load)
    return 0 if all(each.kept for each in speeds) and all(grown.values()) else 1


def _float(folder: Path) -> Bundle:
    made = default_float(folder)
    if made is None:
        raise BundleError(FLOAT_GRAPH, "is missing: run this from a checkout of the project")
    return made


def speed(bundle: Bundle, folder: Path, work: Path, *, cpus: int, rounds: int) -> Speed:
    """Measure one detector and its floor in turn."""
    setup = plan.untuned(
        bundle, plan.runnable(bundle, engines.available()), cpus=cpus, machine="", ram_bytes=machine.ram_bytes()
    )
    bundle = bundle.only(setup.variant)
    detector = Detector(bundle, threads=setup.threads, streams=setup.streams)
    graph = engines.open_graph(bundle, threads=1, streams=cpus)
    photos = list(_loaded(folder))
    manifest = bundle.manifest
    tensors = [prepare(_decoded(each, detector).pixels, manifest.input, manifest.preprocess)[0] for each in photos[:16]]

    def decode_one(index: int) -> None:
        _decoded(photos[index], detector)

    def infer_one(index: int) -> None:
        graph.run(tensors[index % len(tensors)], manifest.output.tensors)

    rules = Rules(ZoneInfo("UTC"), (), MAX_PIXELS, gap_s=60, confident=manifest.thresholds.confident)
    cpu: dict[str, list[float]] = {"decode": [], "infer": [], "whole": []}
    alone: dict[str, list[float]] = {"decode": [], "infer": []}
    together: dict[str, list[float]] = {"decode": [], "infer": []}
    reached: list[float] = []
    loops = (("decode", decode_one), ("infer", infer_one))
    steps = tqdm(total=(rounds + 1) * 5, desc=manifest.name, unit="pass", disable=not sys.stderr.isatty(), leave=False)
    with steps as bar:
        # One round more than are counted: the first warms up.
        for _ in range(rounds + 1):
            for name, loop in loops:
                cpu_before = time.process_time()
                alone[name].append(_seconds(loop, len(photos), 1))
                cpu[name].append(time.process_time() - cpu_before)
                bar.update()
            with _journal(work) as journal:
                pipeline = Pipeline(journal, detector, None, rules, workers=setup.workers)
                cpu_before, started = time.process_time(), time.perf_counter()
                for _ in pipeline.take_all((each.stamp, True) for each in photos):
                    pass
                reached.append(time.perf_counter() - started)
                cpu["whole"].append(time.process_time() - cpu_before)
            bar.update()
            for name, loop in loops:
                together[name].append(_seconds(loop, len(photos), cpus))
                bar.update()
    floors = [(a + b) / cpus for a, b in zip(alone["decode"][1:], alone["infer"][1:], strict=True)]
    joint = [a + b for a, b in zip(together["decode"][1:], together["infer"][1:], strict=True)]
    ratio = statistics.median(floor / whole for floor, whole in zip(floors, reached[1:], strict=True))
    count = len(photos)
    return Speed(
        detector=manifest.name,
        variant=str(setup),
        photos=count,
        decode_ms=statistics.median(alone["decode"][1:]) / count * 1000,
        infer_ms=statistics.median(alone["infer"][1:]) / count * 1000,
        floor=count / statistics.median(floors),
        together_floor=count / statistics.median(joint),
        reached=count / statistics.median(reached[1:]),
        of_the_floor=ratio,
        of_the_together_floor=statistics.median(a / b for a, b in zip(joint, reached[1:], strict=True)),
        cpu_share=statistics.median(
            (a + b) / c for a, b, c in list(zip(cpu["decode"], cpu["infer"], cpu["whole"], strict=True))[1:]
        ),
        kept=ratio >= LEAST_OF_THE_FLOOR,
    )


def _seconds(loop: Callable[[int], None], count: int, threads: int) -> float:
    started = time.perf_counter()
    if threads == 1:
        for index in range(count):
            loop(index)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(loop, range(count)))
    return time.perf_counter() - started


def _loaded(folder: Path) -> Iterator[Loaded]:
    """Each distinct photo that can be decoded: a copy would be passed over by the way, which the floor knows not."""
    seen = set()
    for stamp in scan.scan(folder).photos:
        try:
            data = identity.read(stamp)
            decode.decode(data, decode.open_photo(data, stamp.full_path, max_pixels=MAX_PIXELS), stamp.full_path)
        except PhotoError:
            continue
        key = identity.picture_hash(data, len(data))
        if key not in seen:
            seen.add(key)
            yield Loaded(stamp, data)


def _decoded(photo: Loaded, detector: Detector) -> Frame:
    """The photo at the scale that the detector wants, upright."""
    file = photo.stamp.full_path
    with decode.open_photo(photo.data, file, max_pixels=MAX_PIXELS) as image:
        size = image.size[::-1] if exif.orientation(image) >= 5 else image.size
        return decode.decode(photo.data, image, file, at_least=detector.resized_to(*size))


@contextmanager
def _journal(work: Path) -> Iterator[Journal]:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        journal = Journal(Path(folder) / FILE_NAME, device="bench")
        try:
            yield journal
        finally:
            journal.close()


def _photos(work: Path) -> Path:
    assets = Path(os.environ.get("CAMTRAP_EDGE_ASSETS", "../shared/assets")) / "photos"
    if assets.is_dir():
        return assets
    print("no assets folder: measured on the sample card", file=sys.stderr)
    sample_card.build(work / "sample")
    return work / "sample"


def _memory(work: Path, bundle: Bundle, photos: int, folder: Path) -> tuple[memory.Result, bool]:
    with tempfile.TemporaryDirectory(dir=work) as name:
        place = Path(name)
        megapixels = memory.fill_card(place / "card", photos, folder, place)
        result = memory.measure(place, str(bundle.folder), photos, megapixels)
    return result, result.peak_mb <= memory.LIMIT_MB and result.growth_mb < memory.GROWTH_MB


def _print(speeds: Sequence[Speed], memories: dict[str, tuple[memory.Result, bool]], folder: Path, load: float) -> None:
    print(f"{speeds[0].photos} photos of {folder}; load before: {load:.1f}")
    print(f"{'detector':26} {'decode':>9} {'infer':>9} {'floor':>9} {'reached':>9} {'of floor':>9}  at least")
    for each in speeds:
        said = "kept" if each.kept else "BROKEN"
        print(
            f"{each.detector:26} {each.decode_ms:6.1f} ms {each.infer_ms:6.1f} ms {each.floor:7.1f}/s "
            f"{each.reached:7.1f}/s {each.of_the_floor:9.3f}  {LEAST_OF_THE_FLOOR} {said}   "
            f"({each.of_the_together_floor:.3f} of both loops on all cores; "
            f"{each.cpu_share:.0%} of the processor's time decodes and infers; {each.variant})"
        )
    if load > BUSY * settings.cores():
        print("other programs were running: these figures are not to be quoted")
    for name, (result, kept) in memories.items():
        said = "kept" if kept else "BROKEN"
        print(
            f"{name}: memory over {result.photos} photos: peak {result.peak_mb:.0f} MB (limit {memory.LIMIT_MB:.0f}), "
            f"second half {result.growth_mb:+.1f} MB (limit {memory.GROWTH_MB:+.1f}): {said}"
        )


if __name__ == "__main__":
    sys.exit(main())
