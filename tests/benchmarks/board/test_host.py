"""Files and tools of the machine: what cannot be read is None, never zero."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.device.host import Host, decimal, integer, run_tool
from tests.benchmarks.board.planting import plant


def test_what_is_absent_empty_or_garbage_is_none(tmp_path: Path) -> None:
    host = plant(tmp_path, "/a/empty  \n/a/words  no number\n/a/number  42")
    assert host.integer("/a/number") == 42 and host.text("/a/number") == "42"
    assert host.text("/a/missing") is None and host.text("/a") is None and host.text("/a/empty") is None
    assert host.integer("/a/words") is None and host.integer("/a/missing") is None
    (tmp_path / "a/number").write_bytes(b"\xff\xfe")
    assert host.integer("/a/number") is None and host.text("/a/number") == "��"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_is_closed_to_this_user_is_none(tmp_path: Path) -> None:
    host = plant(tmp_path, "/a/secret  1")
    (tmp_path / "a/secret").chmod(0)
    assert host.integer("/a/secret") is None


def test_a_sensor_that_answers_with_an_error_is_none() -> None:
    # The kernel refuses to read a process's memory at address 0 with EIO, as a sleeping sensor does with EAGAIN.
    assert Host().data("/proc/self/mem") is None


def test_names_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    host = plant(tmp_path, "/s/zone10/t 1\n/s/zone2/t 1\n/s/zone1/t 1")
    assert host.glob("/s/zone*") == ("/s/zone1", "/s/zone2", "/s/zone10")


def test_one_device_under_two_names_is_found_once(tmp_path: Path) -> None:
    host = plant(tmp_path, "/bus/chip/value 1\n/class/hwmon0 -> ../bus/chip")
    assert host.distinct("/class/*", "/bus/*") == ("/class/hwmon0",)


@pytest.mark.parametrize("text", ["[N/A]", "", "nan", "inf", None])
def test_what_tools_print_for_unknown_is_no_number(text: str | None) -> None:
    assert decimal(text) is None and integer(text) is None


def test_a_tool_gives_its_text_and_an_absent_failing_or_silent_one_none() -> None:
    assert run_tool((sys.executable, "-c", "print(' 7 ')")) == "7"
    assert run_tool(("no-such-tool-of-any-board",)) is None
    assert run_tool((sys.executable, "-c", "print(7); raise SystemExit(3)")) is None
    assert run_tool((sys.executable, "-c", "")) is None


def test_a_tool_that_hangs_is_given_up_after_two_seconds() -> None:
    start = time.monotonic()
    assert run_tool((sys.executable, "-c", "import time; time.sleep(30)")) is None
    assert 1.5 < time.monotonic() - start < 10
