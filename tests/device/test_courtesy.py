from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# In a process of its own: priorities do not come back up.
LOOK = """
import json, os, sys, threading, psutil
from edge_runtime.device.courtesy import step_back
step_back(nice=int(sys.argv[1]), disk=sys.argv[2])
seen = []
def look():
    io = psutil.Process(threading.get_native_id()).ionice()
    seen.append([os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), int(io.ioclass), io.value])
look()
thread = threading.Thread(target=look)
thread.start(); thread.join()
print(json.dumps(seen))
"""


def priorities(nice: int, disk: str) -> list[list[int]]:
    """(nice, class of the disk's priority, level) of the first thread and of one that it started."""
    command = [sys.executable, "-c", LOOK, str(nice), disk]
    seen: list[list[int]] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return seen


BEST_EFFORT, IDLE = 2, 3


@pytest.mark.parametrize(("disk", "expected"), [("low", [BEST_EFFORT, 7]), ("idle", [IDLE, 0])])
def test_the_process_and_threads_started_later_step_back(disk: str, expected: list[int]) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities(7, disk) == [[min(own + 7, 19), *expected]] * 2


def test_unless_told_nothing_changes() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [entry[0] for entry in priorities(0, "normal")] == [own, own]
    assert all(entry[1] != IDLE for entry in priorities(0, "normal"))
