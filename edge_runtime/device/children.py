"""What becomes of a process that was started to do one piece of work, and of the memory that it took."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

_TAIL = 400


def why_it_ended(code: int, said: str) -> str:
    """Why a process that came to no answer ended, in words that follow "the process".

    Args:
        code: as `subprocess` tells it: below 0 the number of a signal.
        said: its standard error; the last of it is quoted.
    """
    if code == -signal.SIGKILL:
        return "was killed: most likely out of memory"
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    last = " ".join(said.split())[-_TAIL:]
    return f"{ended}: {last}" if last else ended


def peak_bytes() -> int | None:
    """The largest resident set of this process so far (VmHWM); None where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return None


def go_first_where_memory_runs_out() -> None:
    """Let the system end this process before any other, so that the work of a device goes on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
