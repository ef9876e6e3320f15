"""The files for which a format has no place: counted by reason, and listed in a table beside the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType

from edge_runtime.journal.results import Result
from edge_runtime.reports import output

NO_TIME = "no credible time"
FAILED = "failed"
SAME_PICTURE = "same picture as another file"
COLUMNS = ("file", "reason", "problem")
NAME = "left-out.csv"


def beside(report: Path, *, folder: bool) -> Path:
    """Where the list goes: into a report's folder, or beside its file."""
    return report / NAME if folder else report.with_name(f"{report.name}.{NAME}")


class LeftOut:
    """Those of one report; a context in which they are noted.

    Args:
        file: the list; it is made with the first entry, and one of an earlier report goes away. None for no list.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.counts: Counter[str] = Counter()
        self._open = ExitStack()
        self._write: Callable[[Iterable[object]], object] | None = None

    def __enter__(self) -> LeftOut:
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.__exit__(kind, error, at)

    def add(self, path: PurePosixPath, reason: str, problem: str = "") -> None:
        self.counts[reason] += 1
        if self.file is None:
            return
        if self._write is None:
            self._write = self._open.enter_context(output.table(self.file, COLUMNS))
        self._write((output.text(path), reason, problem))


def reason(result: Result, again: bool) -> str:
    """Why a format that needs each picture once, with its time, has no place for a file; empty where it has.

    Args:
        again: it shows the same picture as one that was written.
    """
    if result.failure is not None:
        return FAILED
    if again:
        return SAME_PICTURE
    return NO_TIME if result.captured_s is None else ""
