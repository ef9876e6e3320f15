"""What all commands share, as a shell sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import subprocess, sys
from edge_runtime import console

def command():
    {body}
    return 0

sys.exit(console.run("program", command, verbose=False))
"""
WRITES_TO_A_CHILD_WHO_LEFT = """
    print("before")
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as child:
        child.wait()
        child.stdin.write(b"job")
        child.stdin.flush()
"""


def program(body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(body=body)]


def test_a_reader_who_leaves_ends_the_command_without_a_word() -> None:
    command = [sys.executable, "-m", "edge_runtime.station.cli", "decode", "--examples", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
        assert (running.wait(timeout=60), said) == (141, b"")


@pytest.mark.parametrize("characters", [10, 1_000_000])
def test_that_the_reader_left_is_seen_whether_or_not_anything_stayed_in_the_buffer(characters: int) -> None:
    command = program(f"print('x' * {characters})")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
        assert (running.wait(timeout=60), said) == (141, b"")


@pytest.mark.parametrize("to_a_file", [False, True])
def test_a_pipe_that_is_not_standard_output_breaks_aloud(to_a_file: bool, tmp_path: Path) -> None:
    command = program(WRITES_TO_A_CHILD_WHO_LEFT)
    with (tmp_path / "output").open("wb+") as file:
        done = subprocess.run(command, stdout=file if to_a_file else subprocess.PIPE, stderr=subprocess.PIPE)
        file.seek(0)
        output = file.read() if to_a_file else done.stdout
    assert (done.returncode, output) == (1, b"before\n")
    assert b"BrokenPipeError" in done.stderr
