"""Starts a command and writes down what it took: python -I -S measured.py REPORT.json COMMAND...

A program of its own, because the kernel counts what the starting process held as part of the peak of what it starts:
this one holds next to nothing.
"""

import json
import os
import sys
import time


def main() -> None:
    report, *command = sys.argv[1:]
    started = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    taken = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,
    }
    with open(report, "w") as file:  # noqa: PTH123 (pathlib would weigh more than all the rest here)
        json.dump(taken, file)
    sys.exit(os.waitstatus_to_exitcode(status) and 1)


if __name__ == "__main__":
    main()
