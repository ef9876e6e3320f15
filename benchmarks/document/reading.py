"""Reading result documents, of every version that there ever was. A doubtful file is named, never half used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.document.errors import ResultError
from benchmarks.document.schema import SCHEMA, Document, Process
from benchmarks.document.summary import comparable_key, summarised, throughput

MAX_BYTES = 512_000_000
"""Of one document: ten minutes of samples are 10 MB."""
PUBLISHED = "published"
"""Folder of figures that others printed; no result documents lie in it."""
_NEARLY = 1e-9


class _Head(msgspec.Struct):
    schema: str = ""


def read(file: Path) -> Document:
    """The document in `file`, checked: its form, and that what it sums up follows from its own samples.

    Raises:
        ResultError: it cannot be read, is none, was cut or edited, or is of a version that is not known here.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ResultError(file, f"has more than {MAX_BYTES // 1_000_000} MB: no result document")
        data = file.read_bytes()
    except OSError as error:
        raise ResultError(file, f"cannot be read: {error.strerror}") from error
    if not data.strip():
        raise ResultError(file, "is empty", hint="its writing was cut off; measure again")
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResultError(file, f"is no whole JSON document: {error}") from error
    reader = _READERS.get(head.schema)
    if reader is None:
        known = ", ".join(_READERS)
        what = f"is of schema '{head.schema}'" if head.schema else "names no schema"
        raise ResultError(file, f"{what}; known here: {known}", hint="another program's file, or a newer edge-bench's")
    document = reader(file, data)
    for problem in contradictions(document):
        raise ResultError(file, problem, hint="edited after it was written, or written by a faulty program")
    return document


def read_all(paths: Iterable[Path]) -> tuple[list[tuple[Path, Document]], list[ResultError]]:
    """Every document in these files and folders, sorted by path, and what is wrong with the others."""
    good: list[tuple[Path, Document]] = []
    problems: list[ResultError] = []
    for file in files(paths, problems):
        try:
            good.append((file, read(file)))
        except ResultError as error:
            problems.append(error)
    return good, problems


def files(paths: Iterable[Path], problems: list[ResultError]) -> Iterator[Path]:
    """The JSON files in these folders, and these files; those of a `published` folder are not result documents."""
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*.json") if each.is_file())
            found = [each for each in inside if PUBLISHED not in each.relative_to(path).parts[:-1]]
        elif path.exists():
            found = [path]
        else:
            problems.append(ResultError(path, "there is no such file or folder"))
            continue
        for file in found:
            if (real := file.resolve()) not in seen:
                seen.add(real)
                yield file


def contradictions(document: Document) -> Iterator[str]:
    """What in a document does not follow from its samples."""
    for number, process in enumerate(document.processes, 1):
        yield from (f"process {number}: {problem}" for problem in _process(process))
    stages = set(document.processes[0].samples_ns)
    if any(set(process.samples_ns) != stages for process in document.processes):
        yield "its processes timed different stages"
        return
    if "whole" not in stages or stages - {*document.boundary, "first", "whole"}:
        yield "its samples are of other stages than the boundary names"
    for stage, expected in summarised(document.processes).items():
        if stage not in document.stats or not _alike(document.stats[stage], expected):
            yield f"stats.{stage} does not follow from the samples"
    if set(document.stats) - stages:
        yield "has stats of stages without samples"
    if not math.isclose(document.throughput_measured_ips, throughput(document.processes), rel_tol=_NEARLY):
        yield "throughput_measured_ips does not follow from the processes"
    if document.verdict.comparable_key != comparable_key(document):
        yield "verdict.comparable_key does not follow from what was measured"
    for series in document.telemetry:
        if len(series.t_ns) != len(series.value):
            yield f"telemetry of {series.source}: {len(series.t_ns)} times, but {len(series.value)} values"


def _process(process: Process) -> Iterator[str]:
    lengths = {len(process.photo), len(process.start_ns), *(len(each) for each in process.samples_ns.values())}
    if len(lengths) != 1 or lengths == {0}:
        yield f"its lists have {sorted(lengths)} entries, not one for each query"
    if process.wall_ns == 0 or process.photos == 0:
        yield "measured nothing"


def _alike(one: msgspec.Struct, other: msgspec.Struct) -> bool:
    for field in one.__struct_fields__:
        mine, theirs = getattr(one, field), getattr(other, field)
        if isinstance(mine, float) and isinstance(theirs, float):
            if not math.isclose(mine, theirs, rel_tol=1e-6, abs_tol=_NEARLY):
                return False
        elif mine != theirs:
            return False
    return True


def _version_1(file: Path, data: bytes) -> Document:
    try:
        return msgspec.json.decode(data, type=Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ResultError(file, f"does not follow schema 1: {error}") from error


_READERS = {SCHEMA: _version_1}


def complaints(problems: Sequence[ResultError]) -> str:
    """Each problem on a line of its own."""
    return "".join(f"{problem}\n" for problem in problems)
