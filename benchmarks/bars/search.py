"""Exact search over a large gallery beside faiss's flat index.

    python -m benchmarks.bars.search [--quick] [--json]

100,000 annotations of 2152 dimensions (MiewID's) in a gallery file, read by the device's own code, against faiss's
`IndexFlatIP` over the same numbers as float32. Each side lives in a process of its own with the same number of threads;
the two answer the same questions in turn. faiss is installed into an environment of its own in the work folder; where
it cannot be had, the device's figures stand alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.bars import bar
from benchmarks.bars.bar import Bar
from benchmarks.peers import environments
from benchmarks.peers.environments import PeerMissing, Recipe
from edge_runtime.individuals import matching
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import MadeBy, Shown
from edge_runtime.values import Box

FAISS = Recipe("faiss", (3, 10), (("faiss-cpu==1.15.1", "numpy"),))
TIME, MEMORY = 2.0, 0.5
SLACK_MB = 16.0
"""Of either side's memory: what the allocators of both keep beside the numbers."""
DIMENSIONS = 2152
QUERIES = (1, 5, 50)
"""A crop, the crops of one sighting, and a batch."""
_WORKER = Path(__file__).with_name("search_worker.py")


@dataclass(frozen=True)
class Side:
    """One of the two, waiting for questions."""

    process: subprocess.Popen[str]
    megabytes: float
    """What it took to hold everything and answer once."""

    def ask(self, queries: int) -> tuple[float, list[list[int]]]:
        """Seconds, and the 50 best of each query."""
        answer = _ask(self.process, queries)
        return answer["seconds"], answer["places"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.search", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the annotations: whether it runs at all")
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="of each question (default 15)")
    parser.add_argument("--work", type=Path, default=Path("tryout-data/search"), metavar="DIR", help="kept")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    load = os.getloadavg()[0]
    python: Path | None = None
    try:
        python = environments.make(FAISS, arguments.work.resolve()).python
    except PeerMissing as error:
        print(f"without faiss: {error}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-search-") as name:
        measured = compare(Path(name), 10_000 if arguments.quick else 100_000, arguments.runs, python)
    return bar.show(measured, as_json=arguments.json, load=load)


def compare(work: Path, annotations: int, runs: int, faiss: Path | None) -> list[Bar]:
    """Both sides over `annotations`, for one thread and for all; the device alone where `faiss` is None."""
    make(work, annotations)
    cores = len(os.sched_getaffinity(0))
    result: list[Bar] = []
    for threads in sorted({1, cores}):
        with _side(Path(sys.executable), "ours", work, threads) as ours:
            if faiss is None:
                result += [_alone(ours, queries, runs, threads) for queries in QUERIES]
                continue
            with _side(faiss, "faiss", work, threads) as theirs:
                result += [_against(ours, theirs, queries, runs, threads) for queries in QUERIES]
                if threads == cores:
                    result.append(_memory(ours, theirs, annotations))
    return result


def make(work: Path, annotations: int) -> None:
    """A gallery file of 5 annotations an animal, the same numbers for faiss, and questions about some of them."""
    chance = np.random.default_rng(0)
    vectors = np.lib.format.open_memmap(work / "vectors.npy", "w+", "<f2", (annotations, DIMENSIONS))
    gallery = Gallery(work / "gallery.sqlite")

    def shown() -> Iterator[Shown]:
        for number in tqdm(range(annotations), desc="gallery", unit="photo", disable=not sys.stderr.isatty()):
            if number % 5 == 0:
                animal = chance.standard_normal(DIMENSIONS, np.float32)
            vector = matching.unit(animal + 0.8 * chance.standard_normal(DIMENSIONS, np.float32))[0]
            vectors[number] = vector
            photo = number.to_bytes(32, "big")
            yield Shown("leopard", f"L{number // 5}", vector, photo, f"{number}.jpg", Box(0, 0, 1, 1))

    gallery.enrol(shown(), MadeBy("benchmark", DIMENSIONS))
    gallery.close()
    vectors.flush()
    asked = chance.choice(annotations, max(QUERIES), replace=False)
    noise = 0.02 * chance.standard_normal((len(asked), DIMENSIONS))
    np.save(work / "queries.npy", matching.unit(vectors[asked].astype(np.float32) + noise))


def _alone(ours: Side, queries: int, runs: int, threads: int) -> Bar:
    seconds = [ours.ask(queries)[0] for _ in range(runs)]
    return Bar(
        _title(queries, threads), statistics.median(seconds) * 1e3, None, "ms", f"{runs} runs, faiss not measured"
    )


def _against(ours: Side, theirs: Side, queries: int, runs: int, threads: int) -> Bar:
    mine: list[float] = []
    other: list[float] = []
    same = total = 0
    for turn in range(-1, runs):
        (first, found), (second, expected) = ours.ask(queries), theirs.ask(queries)
        if turn >= 0:  # the first warms up
            mine.append(first)
            other.append(second)
        same += sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True))
        total += sum(map(len, expected))
        if [one[0] for one in found] != [one[0] for one in expected]:
            raise SystemExit("the two sides find different nearest annotations")
    ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
    how = (
        f"{statistics.median(mine) * 1e3:.0f} and {statistics.median(other) * 1e3:.0f} ms, {runs} runs in turn, "
        f"{same / total:.2%} of the 50 nearest the same"
    )
    return Bar(_title(queries, threads), ratio, TIME, "x", how)


def _memory(ours: Side, theirs: Side, annotations: int) -> Bar:
    allowed = MEMORY * theirs.megabytes + SLACK_MB
    half, whole = (annotations * DIMENSIONS * size / 1e6 for size in (2, 4))
    how = (
        f"{ours.megabytes:.0f} and {theirs.megabytes:.0f} MB; the numbers alone {half:.0f} and {whole:.0f}; "
        f"limit half and {SLACK_MB:.0f} MB for buffers"
    )
    return Bar("  memory of it", ours.megabytes / theirs.megabytes, allowed / theirs.megabytes, "x", how)


def _title(queries: int, threads: int) -> str:
    return f"{queries} queries at once, {threads} threads"


@contextmanager
def _side(python: Path, which: str, work: Path, threads: int) -> Iterator[Side]:
    environ = environments.clean_environ(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    command = [str(python), str(_WORKER), which, str(work), str(threads)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd=Path(__file__).parents[2]
    ) as process:
        yield Side(process, _ask(process, 1)["megabytes"])
        if process.stdin is not None:
            process.stdin.close()


def _ask(process: subprocess.Popen[str], queries: int) -> dict[str, object]:
    if process.stdin is None or process.stdout is None:
        raise SystemExit("a worker without pipes")
    process.stdin.write(f"{queries}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a worker ended with an error: {' '.join(map(str, process.args))}")
    return json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
