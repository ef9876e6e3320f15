"""Leaving the board to others that need it sooner: priorities of the processor and of the disk."""

from __future__ import annotations

import os
from typing import Literal

Disk = Literal["normal", "low", "idle"]


def step_back(*, nice: int, disk: Disk) -> None:
    """Lower this process's priorities, those of threads started from now on included.

    Args:
        nice: 0 (as usual) to 19 (only what nobody else wants), on top of what the process was started with.
        disk: `low` comes after everybody else's reading and writing, `idle` only when nobody else reads or writes
            (ioprio_set(2): best-effort level 7, and the idle class). Only some I/O schedulers heed it.

    Raises:
        OSError: the system refuses.
    """
    if nice:
        os.nice(nice)
    if disk != "normal":
        import psutil

        kind, level = (psutil.IOPRIO_CLASS_BE, 7) if disk == "low" else (psutil.IOPRIO_CLASS_IDLE, 0)
        psutil.Process().ionice(kind, level)
