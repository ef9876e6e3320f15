from __future__ import annotations

import subprocess
import sys

import pytest

from edge_runtime.device import children


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed: most likely out of memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by signal 11"),
        ("import sys; sys.exit('no such\\nmodel')", "ended with exit code 1: no such model"),
        ("raise SystemExit(3)", "ended with exit code 3"),
    ],
)
def test_a_process_that_gave_no_answer_is_told_why_in_one_line(code: str, reason: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert children.why_it_ended(done.returncode, done.stderr) == reason


def test_the_peak_grows_by_what_is_taken_and_does_not_fall_again() -> None:
    before = children.peak_bytes()
    assert before is not None
    taken = b"x" * 300_000_000
    grown = children.peak_bytes()
    del taken
    after = children.peak_bytes()
    assert grown is not None and after is not None
    # The kernel counts pages by processor and is a few behind.
    assert grown >= before and after >= 0.99 * grown >= 290_000_000
