"""What the machine is, from what real boards say of themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from benchmarks.board import fingerprint, jetson
from benchmarks.document.schema import Device, Platform, Runtime
from edge_runtime.device.host import Host
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import plant, write

RUNTIME = Runtime(name="onnxruntime", version="1.20.1", providers=("CPUExecutionProvider",))


def test_a_pi_is_named_by_its_device_tree_and_its_bootloader(tmp_path: Path) -> None:
    found = fingerprint.device(plant(tmp_path, trees.PI4, tools=trees.PI4_TOOLS))
    assert found.board == "Raspberry Pi 4 Model B Rev 1.4" and found.soc == "brcm,bcm2711"
    assert found.cpu == "Raspberry Pi 4 Model B Rev 1.4" and found.accelerator is None
    assert found.firmware == "2023/01/11 17:40:52"


def test_a_bootloader_that_the_device_tree_names_needs_no_tool(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.PI5)
    assert fingerprint.device(host).firmware == "26826259"
    (tmp_path / "proc/device-tree/chosen/bootloader/build-timestamp").write_bytes((1727093000).to_bytes(4, "big"))
    assert fingerprint.device(host).firmware == "2024-09-23 26826259"


def test_an_orin_is_named_by_its_device_tree_and_its_gpu_by_the_chip(tmp_path: Path) -> None:
    found = fingerprint.device(plant(tmp_path, trees.ORIN, tools=trees.ORIN_TOOLS))
    assert found.board == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert (found.soc, found.cpu) == ("nvidia,tegra234", "ARMv8 Processor rev 1 (v8l)")
    assert found.accelerator == "Jetson Orin GPU (Ampere)" and found.firmware == "36.4.3-gcid-38968081"


def test_a_pc_is_named_by_its_makers_tables(tmp_path: Path) -> None:
    found = fingerprint.device(plant(tmp_path, trees.LAPTOP, tools=trees.GPU_TOOLS))
    assert (found.board, found.soc, found.firmware) == ("LENOVO 20XW0026US", None, "N32ET75W (1.51 )")
    assert found.cpu.startswith("11th Gen Intel") and found.serial_hash is None
    assert found.accelerator == "NVIDIA GeForce RTX 3060, NVIDIA GeForce RTX 3060"


def test_what_a_maker_left_unfilled_is_no_name(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.LAPTOP)
    write(tmp_path, "/sys/class/dmi/id/product_name", "System Product Name")
    write(tmp_path, "/sys/class/dmi/id/board_vendor", "ASUSTeK COMPUTER INC.")
    write(tmp_path, "/sys/class/dmi/id/board_name", "PRIME B550M-A")
    assert fingerprint.device(host).board == "ASUSTeK COMPUTER INC. PRIME B550M-A"


def test_a_machine_that_says_nothing_is_unknown_or_a_virtual_one(tmp_path: Path) -> None:
    assert fingerprint.device(plant(tmp_path / "vm", trees.BARE_VM)).board.startswith("virtual machine, ")
    found = fingerprint.device(plant(tmp_path / "empty"))
    assert (found.board, found.soc, found.accelerator, found.firmware, found.serial_hash) == (
        "unknown",
        None,
        None,
        None,
        None,
    )


def test_the_serial_number_itself_does_not_leave_the_board(tmp_path: Path) -> None:
    found = fingerprint.device(plant(tmp_path, trees.PI4))
    assert found.serial_hash == hashlib.sha256(b"camtrap-edge 10000000abcdef12").hexdigest()[:16]
    assert b"abcdef12" not in msgspec.json.encode(found)


def test_two_boards_of_one_kind_share_a_fingerprint_and_not_a_serial_hash(tmp_path: Path) -> None:
    one, other = (fingerprint.device(plant(tmp_path / name, trees.PI5)) for name in ("one", "other"))
    write(tmp_path / "other", "/proc/device-tree/serial-number", "0000000000000001")
    # Firmware is software: an update does not make another device of a board.
    write(tmp_path / "other", "/proc/device-tree/chosen/bootloader/version", "ffffffff")
    other = fingerprint.device(Host(tmp_path / "other", lambda command: None))
    assert one.fingerprint == other.fingerprint
    assert one.serial_hash != other.serial_hash and one.firmware != other.firmware


@pytest.mark.parametrize(
    ("name", "content"),
    [("model", "Raspberry Pi 5 Model B Rev 1.1"), ("compatible", "raspberrypi,5-model-b\\0brcm,bcm2712d0")],
)
def test_another_board_or_chip_has_another_fingerprint(tmp_path: Path, name: str, content: str) -> None:
    host = plant(tmp_path, trees.PI5)
    before = fingerprint.device(host).fingerprint
    write(tmp_path, f"/proc/device-tree/{name}", content)
    assert fingerprint.device(host).fingerprint != before


def test_another_gpu_makes_another_fingerprint(tmp_path: Path) -> None:
    without = fingerprint.device(plant(tmp_path, trees.LAPTOP))
    assert without.fingerprint != fingerprint.device(plant(tmp_path, tools=trees.GPU_TOOLS)).fingerprint


def test_an_orins_software(tmp_path: Path) -> None:
    found = fingerprint.platform(plant(tmp_path, trees.ORIN, tools=trees.ORIN_TOOLS), RUNTIME)
    assert (found.os, found.kernel) == ("Ubuntu 22.04.5 LTS", "5.15.148-tegra")
    assert (found.jetpack, found.cuda, found.driver) == ("6.2+b77, L4T 36.4.3", "12.6.11", "540.4.0")
    assert found.runtime is RUNTIME


def test_a_nano_of_jetpack_4_tells_its_linux_and_its_cuda(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.NANO_JETPACK4)
    found = fingerprint.platform(host, RUNTIME)
    assert (found.jetpack, found.cuda, found.driver) == ("L4T 32.7.1", "10.2.300", None)
    assert jetson.gpu(host) == "Jetson Nano or TX1 GPU (Maxwell)"


def test_a_pcs_gpu_driver_is_told_by_its_module_or_its_tool(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.LAPTOP, tools=trees.GPU_TOOLS)
    found = fingerprint.platform(host, RUNTIME)
    assert (found.os, found.jetpack) == ("Debian GNU/Linux 12 (bookworm)", None)
    assert (found.driver, found.cuda) == ("550.54.14", "12.4")
    write(tmp_path, "/sys/module/nvidia/version", "560.35.03")
    assert fingerprint.platform(host, RUNTIME).driver == "560.35.03"


@pytest.mark.parametrize("table", [trees.PI4, trees.PI5, trees.ORIN, trees.LAPTOP, trees.BARE_VM, ""])
def test_every_board_fits_the_schema(tmp_path: Path, table: str) -> None:
    host = plant(tmp_path, table)
    for part, kind in ((fingerprint.device(host), Device), (fingerprint.platform(host, RUNTIME), Platform)):
        assert msgspec.json.decode(msgspec.json.encode(part), type=kind) == part


def test_this_machine_fits_the_schema_and_says_the_same_twice() -> None:
    found = fingerprint.device(Host())
    assert msgspec.json.decode(msgspec.json.encode(found), type=Device) == found == fingerprint.device(Host())
    assert found.ram_bytes > 100e6 and found.cores >= 1
    here = fingerprint.platform(Host(), RUNTIME)
    assert msgspec.json.decode(msgspec.json.encode(here), type=Platform) == here
