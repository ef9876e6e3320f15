"""What is seen of minutes of building: lines in a log, a bar on a terminal, and how its phases add up."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from edge_runtime.engines import tensorrt_build, tensorrt_runtime
from edge_runtime.engines.tensorrt_progress import Phases, shown
from edge_runtime.engines.tensorrt_runtime import RTX
from export_tools import default_models
from tests.conftest import ROOT

pytest.importorskip(RTX, reason="TensorRT for RTX is an extra: make workstation-env")

DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"


def test_without_a_terminal_progress_is_lines_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with shown("building it") as report:
        tensorrt_build.build(
            tensorrt_runtime.imported(RTX),
            DETECTOR,
            input_name="image",
            capability=(8, 6),
            report=report,
            folder=tmp_path,
        )
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("progress")]
    assert lines[0] == "building it" and lines[-1].startswith("building it: done in ")
    percents = [int(line.split(":")[1].split("%")[0]) for line in lines[1:-1]]
    assert 3 <= len(percents) <= 10 and percents == sorted(set(percents))


def test_a_phase_that_lasts_is_told_every_15_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    times = iter([0.0, 0.0, 14.0, 15.0, 20.0, 31.0, 32.0])
    with shown("it", clock=lambda: next(times)) as report:
        for share in (0.01, 0.02, 0.03, 0.04):
            report(share, "Timing")
    assert [line for line in caplog.messages if "%" in line] == ["it: 2 % (Timing)", "it: 4 % (Timing)"]


def test_on_a_terminal_progress_is_a_bar(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edge_runtime.engines import tensorrt_build, tensorrt_runtime\n"
        "from edge_runtime.engines.tensorrt_progress import shown\n"
        "with shown('building it') as report:\n"
        f"    tensorrt_build.build(tensorrt_runtime.imported('{RTX}'), Path(sys.argv[1]), input_name='image',\n"
        "        capability=(8, 6), report=report, folder=Path(sys.argv[2]))\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    ran = subprocess.Popen([sys.executable, "-c", code, str(DETECTOR), str(tmp_path)], stderr=theirs, cwd=ROOT)
    os.close(theirs)
    drawn = b""
    try:
        while piece := os.read(ours, 65536):
            drawn += piece
    except OSError:  # how Linux says that the other end of a terminal was closed
        pass
    os.close(ours)
    assert ran.wait() == 0
    text = drawn.decode()
    assert "building it:   0 %" in text and "building it: 100 %" in text


def test_phases_inside_a_phase_count_as_parts_of_its_next_step() -> None:
    seen: list[float] = []
    phases = Phases(lambda share, phase: seen.append(round(share, 3)))
    phases.start("all", None, 4)
    phases.step("all", 0)
    phases.start("inner", "all", 2)
    phases.step("inner", 0)
    phases.start("innermost", "inner", 10)
    phases.step("innermost", 4)
    phases.finish("innermost")
    phases.step("inner", 1)
    phases.finish("inner")
    phases.step("all", 1)
    phases.step("all", 3)
    phases.finish("all")
    phases.start("another", None, 10)
    assert seen == [0, 0.25, 0.25, 0.375, 0.375, 0.438, 0.5, 0.5, 1, 1]
