"""`edge-bench run` for tests: in this process, and as one of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from benchmarks import cli
from benchmarks.document import reading
from benchmarks.document.schema import Document


def measured(output: Path, *arguments: object) -> list[Document]:
    """Run `edge-bench run` in this process; the documents that it wrote, sorted by name."""
    assert cli.main(["run", *map(str, arguments), "-o", str(output)]) == 0
    documents, problems = reading.read_all([output])
    assert not problems
    return [document for _, document in documents]


def started(output: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.cli", "run", *map(str, arguments), "-o", str(output)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_can_be_interrupted
    )


def _can_be_interrupted() -> None:
    # What a shell starts in the background ignores SIGINT, and so do its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
