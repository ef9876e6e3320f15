"""Under which conditions something is measured."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.board import jetson
from benchmarks.board.conditions import conditions, load_avg, storage, swap_used
from benchmarks.board.jetson import PowerMode
from benchmarks.board.virtual import hypervisor
from benchmarks.document.schema import Conditions
from edge_runtime.device.host import Host
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import plant, write

CARD = Path("/media/pi/CAMERA 7/DCIM")


def told(host: Host, photos: Path = Path("/photos")) -> Conditions:
    return conditions(host, photos, ambient_c=21.5, supply="12 V, buck")


def test_a_pi_4_with_a_card_and_something_in_its_swap(tmp_path: Path) -> None:
    assert told(plant(tmp_path, trees.PI4), CARD) == Conditions(
        power_mode=None,
        governor="ondemand",
        cooling=None,
        ambient_c=21.5,
        supply="12 V, buck",
        storage="exfat on /dev/sda1",
        virtual=None,
        load_avg=(0.12, 0.34, 0.56),
        swap_used_bytes=(524284 - 393212) * 1024,
    )


def test_a_pi_5_with_a_fan(tmp_path: Path) -> None:
    found = told(plant(tmp_path, trees.PI5))
    assert (found.cooling, found.governor, found.swap_used_bytes) == ("pwm-fan 1/4", "performance", 0)
    assert found.storage == "ext4 on /dev/nvme0n1p2"


def test_an_orin_tells_its_power_mode_and_no_clock_as_cooling(tmp_path: Path) -> None:
    found = told(plant(tmp_path, trees.ORIN, tools=trees.ORIN_TOOLS))
    assert (found.power_mode, found.cooling, found.governor) == ("25W", "pwm-fan 2/3", "schedutil")
    assert found.virtual is None


def test_a_laptop_tells_its_profile(tmp_path: Path) -> None:
    found = told(plant(tmp_path, trees.LAPTOP))
    assert (found.power_mode, found.governor, found.virtual) == ("balanced", "powersave", None)


def test_policies_that_differ_are_all_named(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    write(tmp_path, "/sys/devices/system/cpu/cpufreq/policy4/scaling_governor", "performance")
    assert told(host).governor == "performance, schedutil"


def test_a_bare_machine_tells_nothing_and_nothing_is_made_up(tmp_path: Path) -> None:
    found = conditions(plant(tmp_path), Path("/photos"), ambient_c=None, supply=None)
    assert all(value is None for value in msgspec.structs.asdict(found).values())


def test_without_its_tool_a_power_mode_is_told_by_its_note(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    assert jetson.power_mode(host) == PowerMode(1, "25W")
    write(tmp_path, "/var/lib/nvpmodel/status", "pmode:0003 fmode:quiet")
    assert jetson.power_mode(host) == PowerMode(3, "7W")
    write(tmp_path, "/var/lib/nvpmodel/status", "pmode:0009")
    assert jetson.power_mode(host) is None


@pytest.mark.parametrize(
    "text",
    ["NV Fan Mode:quiet\nNV Power Mode: MAXN\n0", "NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN\n0"],
)
def test_what_else_the_tool_says_is_passed_over(tmp_path: Path, text: str) -> None:
    assert jetson.power_mode(plant(tmp_path, tools={"nvpmodel -q": text})) == PowerMode(0, "MAXN")


@pytest.mark.parametrize("text", ["", "NV Power Mode: 15W", "NV Power Mode:\n0", "NVPM ERROR: Error opening\n13"])
def test_a_tool_that_does_not_say_gives_no_power_mode(tmp_path: Path, text: str) -> None:
    assert jetson.power_mode(plant(tmp_path, tools={"nvpmodel -q": text})) is None


def test_the_highest_power_mode_has_no_limit_or_most_watts(tmp_path: Path) -> None:
    assert jetson.highest(jetson.modes(plant(tmp_path, trees.ORIN))) == PowerMode(2, "MAXN_SUPER")
    assert jetson.highest((PowerMode(0, "MODE_15W_6CORE"), PowerMode(1, "MODE_7W"))) == PowerMode(0, "MODE_15W_6CORE")
    assert jetson.highest(()) is None


def test_the_deepest_mount_holds_the_photos_and_of_two_on_one_point_the_later(tmp_path: Path) -> None:
    host = plant(
        tmp_path,
        "/proc/mounts /dev/a / ext4 rw 0 0\\n/dev/b /data ext4 rw 0 0\\n/dev/c /data/card vfat ro 0 0\\n"
        "/dev/d /data xfs rw 0 0\\ndamaged",
    )
    assert storage(host, Path("/data/card/DCIM")) == "vfat on /dev/c"
    assert storage(host, Path("/data/other")) == "xfs on /dev/d"
    assert storage(host, Path("/data/cards")) == "xfs on /dev/d"
    assert storage(host, Path("/elsewhere")) == "ext4 on /dev/a"


@pytest.mark.parametrize("text", ["", "0.1 0.2", "0.1 x 0.3", "-1 0 0"])
def test_a_load_that_is_garbage_is_none(tmp_path: Path, text: str) -> None:
    assert load_avg(plant(tmp_path, f"/proc/loadavg {text}")) is None


def test_no_swap_is_zero_and_an_unknown_one_none(tmp_path: Path) -> None:
    assert swap_used(plant(tmp_path, "/proc/meminfo SwapTotal: 0 kB\\nSwapFree: 0 kB")) == 0
    assert swap_used(plant(tmp_path, "/proc/meminfo SwapTotal: 0 kB\\nSwapFree: many kB")) is None


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "QEMU"),
        ("VMware, Inc.", "VMware Virtual Platform", "VMware"),
        ("innotek GmbH", "VirtualBox", "VirtualBox"),
        ("Amazon EC2", "c6g.large", "Amazon EC2"),
        ("Amazon EC2", "c6g.metal", None),
        ("Google", "Google Compute Engine", "Google Compute Engine"),
        ("Google", "Eve", None),
        ("Microsoft Corporation", "Virtual Machine", "Microsoft Hyper-V"),
        ("Microsoft Corporation", "Surface Pro 7", None),
        ("Red Hat", "KVM", "KVM"),
        ("LENOVO", "20XW0026US", None),
    ],
)
def test_hypervisors_are_told_from_makers_of_real_computers(
    tmp_path: Path, vendor: str, product: str, name: str | None
) -> None:
    table = f"/sys/class/dmi/id/sys_vendor {vendor}\n/sys/class/dmi/id/product_name {product}"
    assert hypervisor(plant(tmp_path, table)) == name


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("/sys/hypervisor/type xen", "xen"),
        ("/proc/device-tree/compatible linux,dummy-virt", "QEMU"),
        (trees.BARE_VM, "unnamed (flag of the processor)"),
        (trees.PI5, None),
        ("/proc/cpuinfo model name : the hypervisor's own\\nflags : fpu avx2", None),
    ],
)
def test_a_hypervisor_without_tables_is_told_by_other_signs(tmp_path: Path, table: str, name: str | None) -> None:
    assert hypervisor(plant(tmp_path, table)) == name


def test_this_machine_fits_the_schema(tmp_path: Path) -> None:
    found = conditions(Host(), tmp_path, ambient_c=None, supply=None)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Conditions) == found
    assert found.storage is not None and found.load_avg is not None
