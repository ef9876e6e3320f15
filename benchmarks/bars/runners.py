"""Our measured inference latency beside what each engine's own tool measures on the same file, in turn.

    python -m benchmarks.bars.runners [--rounds 21] [--seconds 2] [--only openvino,onnxruntime] [--json]

OpenVINO's `benchmark_app` (in its wheel) against `edge-bench`'s worker on one OpenVINO file; ONNX Runtime's
`onnxruntime_test` (in its wheel; the C++ `onnxruntime_perf_test` is in no package) on one ONNX file. Theirs runs one
random picture in a tight loop, ours photos with reading and decoding in between: who agrees within 5 % measures the
same thing. Medians (means beside ONNX Runtime's tool) of alternating rounds; ratios within rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks import photo_set, processes, reference
from benchmarks.bars import bar
from benchmarks.bars.bar import Bar
from benchmarks.document.schema import Process
from benchmarks.photo_set import Photos
from benchmarks.worker import Job
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from export_tools import bundle_writer

APART = 0.05
SEED = 1
_SURE_OF_ITERATIONS = 1000
_AVERAGE = re.compile(r"avg latency: ([0-9.]+) ms")


@dataclass(frozen=True)
class Side:
    """One engine: a bundle for ours, and what runs theirs. Milliseconds."""

    engine: str
    tool: str
    bundle: Bundle
    threads: int
    theirs: Callable[[Path, int, float], float]
    """File, threads, seconds."""
    ours: Callable[[Process], float]
    """The same figure of ours."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.runners", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=21, metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each of the two, each round")
    parser.add_argument("--only", default="openvino,onnxruntime", metavar="A,B")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-runners-") as name:
        sides = [_SIDES[each](Path(name)) for each in arguments.only.split(",") if find_spec(each)]
        with photo_set.opened(None, count=24, seed=SEED) as photos:
            bars = [measure(side, photos, rounds=arguments.rounds, seconds=arguments.seconds) for side in sides]
    return bar.show(bars, as_json=arguments.json, load=load)


def measure(side: Side, photos: Photos, *, rounds: int, seconds: float) -> Bar:
    """Both in turn, who is first changing each round."""
    theirs, ours = [], []
    graph = side.bundle.path(side.bundle.manifest.variants[0])
    runs: list[Callable[[], None]] = [
        lambda: theirs.append(side.theirs(graph, side.threads, seconds)),
        lambda: ours.append(side.ours(processes.run(_job(side, photos, seconds), lambda done: None))),
    ]
    for number in tqdm(range(rounds), desc=side.engine, unit="round", disable=not sys.stderr.isatty(), leave=False):
        for run in runs if number % 2 else reversed(runs):
            run()
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    return Bar(
        what=f"{side.engine}: our inference beside {side.tool}, apart",
        measured=abs(ratio - 1),
        limit=APART,
        unit="",
        how=f"{statistics.median(ours):.2f} and {statistics.median(theirs):.2f} ms, ratio {ratio:.3f}, "
        f"{side.threads} thread(s), {rounds} rounds",
    )


def _job(side: Side, photos: Photos, seconds: float) -> Job:
    variant = side.bundle.manifest.variants[0]
    return Job(
        bundle=str(side.bundle.folder),
        variant=variant.name,
        engine=variant.engine,
        threads=side.threads,
        streams=1,
        scenario="single",
        card=str(photos.stamps[0].card),
        photos=tuple((str(each.path), each.size, each.mtime_ns) for each in photos.stamps),
        seconds=seconds,
        queries=1,
        warm_up_s=1.0,
        zero_ns=0,
        spawned_ns=time.monotonic_ns(),
    )


def _openvino(work: Path) -> Side:
    from edge_runtime.engines import openvino_engine

    float_bundle = _float(work / "onnx")
    model = openvino_engine.core().read_model(str(float_bundle.path(float_bundle.manifest.variants[0])))
    openvino_engine.import_quietly().save_model(model, str(work / "fp32.xml"), compress_to_fp16=False)
    graph = bundle_writer.Graph(work / "fp32.xml", "openvino-fp32", "openvino", "fp32", files=(work / "fp32.bin",))
    fields = bundle_writer.Description.__dataclass_fields__
    description = bundle_writer.Description(**{each: getattr(float_bundle.manifest, each) for each in fields})
    labels = float_bundle.folder / float_bundle.manifest.labels
    bundle = bundle_writer.write(work / "openvino", description, [graph], labels=labels)
    return Side("openvino", "benchmark_app", bundle, 1, _benchmark_app, _median_ms)


def _onnxruntime(work: Path) -> Side:
    # Its tool cannot be told how many threads: it takes what the library takes, one for each core with all it has.
    threads = psutil.cpu_count(logical=False) or 1
    return Side("onnxruntime", "onnxruntime_test", _float(work / "ort"), threads, _onnxruntime_test, _mean_ms)


_SIDES = {"openvino": _openvino, "onnxruntime": _onnxruntime}


def _float(folder: Path) -> Bundle:
    made = reference.default_float(folder)
    if made is None:
        raise BundleError(reference.FLOAT_GRAPH, "is missing: run this from a checkout of the project")
    return bundles.load(made.folder, task="detector")


def _benchmark_app(graph: Path, threads: int, seconds: float) -> float:
    """Median milliseconds of `benchmark_app`, synchronous, opened as our engine opens a graph."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("benchmark_app")), "-m", str(graph), "-d", "CPU", "-api", "sync"]
        command += ["-hint", "none", "-nireq", "1", "-nstreams", "1", "-nthreads", str(threads), "-pin", "NO"]
        command += ["-infer_precision", "f32", "-t", str(max(1, round(seconds)))]
        command += ["-json_stats", "-report_type", "no_counters", "-report_folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report = Path(folder) / "benchmark_report.json"
        if done.returncode != 0 or not report.is_file():
            raise SystemExit(f"benchmark_app failed: {done.stdout[-800:]}{done.stderr[-800:]}")
        return float(json.loads(report.read_text())["execution_results"]["latency (ms)"])


def _onnxruntime_test(graph: Path, threads: int, seconds: float) -> float:
    """Mean milliseconds of `onnxruntime_test`, after a first short call that says how many iterations fit."""

    def mean_ms(iterations: int) -> float:
        command = [sys.executable, "-m", "onnxruntime.tools.onnxruntime_test", str(graph), str(iterations)]
        quiet = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
        found = _AVERAGE.search(done.stdout)
        if not found:
            raise SystemExit(f"onnxruntime_test failed: {done.stdout[-800:]}{done.stderr[-800:]}")
        return float(found[1])

    return mean_ms(max(5, min(_SURE_OF_ITERATIONS, round(seconds * 1000 / mean_ms(5)))))


def _median_ms(process: Process) -> float:
    return statistics.median(process.samples_ns["infer"]) / 1e6


def _mean_ms(process: Process) -> float:
    return statistics.fmean(process.samples_ns["infer"]) / 1e6


if __name__ == "__main__":
    sys.exit(main())
