"""Why no page was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.document.errors import ResultError
from edge_runtime.errors import CamtrapEdgeError


class NothingToReportError(CamtrapEdgeError):
    """Not one result document could be used. `problems` tells of each file why."""

    exit_code = 2

    def __init__(self, paths: Sequence[Path], problems: Sequence[ResultError]) -> None:
        self.paths, self.problems = tuple(paths), tuple(problems)
        where = ", ".join(map(str, paths))
        each = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{where}: no result document that could be used (edge-bench run makes one){each}")


class PageError(CamtrapEdgeError):
    """The page cannot be written there."""

    exit_code = 2

    def __init__(self, output: Path, problem: str) -> None:
        self.output, self.problem = output, problem
        super().__init__(f"{output}: {problem}")
