"""One side of `benchmarks.bars.search`: holds everything in memory and answers questions from standard input.

Runs in the environment of its side; imports nothing of the project's before it knows which one that is.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BEST = 50


def ours(work: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The device's search over the gallery file."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from edge_runtime.individuals import matching
    from edge_runtime.individuals.gallery import Gallery

    ready()
    gallery = Gallery(work / "gallery.sqlite")
    group = gallery.group("leopard")
    gallery.close()
    if group is None:
        raise SystemExit("the gallery is empty")
    matrix = group.matrix
    return lambda queries: matching.nearest(matrix, queries, threads=threads, pool=BEST).places


def faiss_flat(work: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """faiss's flat index over the same numbers."""
    import faiss

    ready()
    faiss.omp_set_num_threads(threads)
    vectors = np.load(work / "vectors.npy", mmap_mode="r")
    index = faiss.IndexFlatIP(vectors.shape[1])
    for start in range(0, len(vectors), 4096):
        index.add(np.asarray(vectors[start : start + 4096], np.float32))
    return lambda queries: index.search(queries, BEST)[1]


_BEFORE = 0.0


def ready() -> None:
    """What is taken from here on counts."""
    global _BEFORE
    _BEFORE = anonymous_mb()


def anonymous_mb() -> float:
    """Resident memory without mapped files, 10^6 bytes."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("RssAnon")]
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    which, work, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    search = (ours if which == "ours" else faiss_flat)(work, threads)
    queries = np.load(work / "queries.npy")
    for line in sys.stdin:
        part = np.ascontiguousarray(queries[: int(line)])
        started = time.perf_counter()
        places = search(part)
        seconds = time.perf_counter() - started
        taken = anonymous_mb() - _BEFORE
        print(json.dumps({"seconds": seconds, "places": places.tolist(), "megabytes": taken}), flush=True)


if __name__ == "__main__":
    main()
