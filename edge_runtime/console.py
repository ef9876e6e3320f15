"""What the commands share: logging, typed errors as one line, exit codes."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Callable

import edge_runtime
from edge_runtime.errors import CamtrapEdgeError

INTERRUPTED = 130


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

    Exit codes: 0 done; 1 something failed; 2 configuration or bundle; 3 broker or station; 130 interrupted.
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
        return command()
    except CamtrapEdgeError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return INTERRUPTED
