"""What the commands share: logging, typed errors as one line, exit codes."""

from __future__ import annotations

import argparse
import io
import logging
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import edge_runtime
from edge_runtime.errors import CamtrapEdgeError

if TYPE_CHECKING:
    from tqdm import tqdm

INTERRUPTED = 130
NOBODY_READS = 141
"""As a shell tells of a program that its pipe's end stopped (`| head`)."""


def parser(program: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose help ends in examples and which knows `--version`."""
    made = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"camtrap-edge {edge_runtime.__version__}")
    return made


def run(
    program: str,
    command: Callable[[], int],
    *,
    verbose: bool,
    level: int = logging.INFO,
    interrupted: str = "interrupted",
) -> int:
    """Run a command: logging from `level` on to standard error, errors made on purpose as one line, an exit code.

    Exit codes: 0 done; 1 something failed; 2 configuration or bundle; 3 broker or station; 130 interrupted;
    141 whoever read standard output left (`| head`), of which nothing is said.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for stream in (sys.stdout, sys.stderr):
        # A file name that is not UTF-8 must not stop the program that reports it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        # What is still in the buffer must not fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except CamtrapEdgeError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return INTERRUPTED


def _nobody_reads() -> bool:
    """Whether it is standard output whose reader left, and not some other pipe's: a child's, a socket.

    The system is asked, because flushing proves nothing: a failed write may have left nothing in the buffer.
    """
    asked = select.poll()
    asked.register(sys.stdout, 0)  # These two are told unasked.
    return any(happened & (select.POLLERR | select.POLLHUP) for _, happened in asked.poll(0))


@contextmanager
def progress_bar(*, unit: str, about: str = "", hidden: bool, leave: bool = True) -> Iterator[tqdm[Any]]:
    """A bar on standard error, which log lines do not break; none where `hidden`, or where nobody looks."""
    # Only here: with asyncio, which it brings along, it takes 10 MB, and the daemon shows no bar.
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    hidden = hidden or not sys.stderr.isatty()
    bar: tqdm[Any] = tqdm(unit=unit, desc=about or None, disable=hidden, leave=leave)
    with bar, logging_redirect_tqdm(loggers=[logging.getLogger()]):
        yield bar
