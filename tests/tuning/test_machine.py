"""What a machine is known by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_runtime import engines
from edge_runtime.tuning.machine import difference, processor, this_machine


def test_this_machine_names_its_processor_and_its_engines() -> None:
    here = this_machine()
    assert here.cpu != "unknown" and here.cores >= 1 and here.ram_mb > 100
    assert set(here.engines) == engines.available() and here.engines["onnxruntime"][0].isdigit()
    assert difference(here, this_machine(), "onnxruntime") == ""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cpu": "Cortex-A76"}, "another processor"),
        ({"architecture": "riscv64"}, "another architecture"),
        ({"cores": 99}, "another number of cores"),
        ({"engines": {"onnxruntime": "1.0"}}, "another version of onnxruntime (1.0, now"),
        ({"engines": {}}, "another version of onnxruntime (none, now"),
        ({"ram_mb": 1}, "other memory"),
    ],
)
def test_what_differs_is_named(changed: dict[str, object], says: str) -> None:
    here = this_machine()
    assert says in difference(msgspec.structs.replace(here, **changed), here, "onnxruntime")


def test_another_engines_version_does_not_matter() -> None:
    here = this_machine()
    then = msgspec.structs.replace(here, engines={**here.engines, "tensorrt": "0.1"})
    assert difference(then, here, "onnxruntime") == ""


def test_a_board_without_a_processors_name_is_known_by_its_own(tmp_path: Path) -> None:
    cpuinfo, board = tmp_path / "cpuinfo", tmp_path / "model"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 108.00\n\nModel\t\t: from cpuinfo\n")
    assert processor(cpuinfo, board) == "from cpuinfo"
    board.write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert processor(cpuinfo, board) == "Raspberry Pi 5 Model B Rev 1.0"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert processor(cpuinfo, board) == "Some CPU @ 2 GHz"
