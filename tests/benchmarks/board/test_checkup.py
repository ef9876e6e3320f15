"""Planted faults are found and named with their remedy; a machine without any is good."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.board.checks import around
from benchmarks.board.checks.around import Around, Busy
from benchmarks.board.checks.check import Check
from benchmarks.board.checkup import checkup, spoilt
from edge_runtime import settings
from edge_runtime.device.host import Host
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import Tools, plant, write

GIB = 1 << 30
QUIET = Around((), 0.0, 1e-9, Path("/tmp"), (100 * GIB, 50 * GIB))


def found(host: Host, seen: Around = QUIET) -> dict[str, Check]:
    return {each.name: each for each in checkup(host, lambda _: seen)}


@pytest.fixture
def pi(tmp_path: Path) -> Host:
    """A Raspberry Pi 5 with nothing wrong."""
    return plant(tmp_path, trees.PI5, tools=trees.PI5_TOOLS)


@pytest.fixture
def orin(tmp_path: Path) -> Host:
    return plant(tmp_path, trees.ORIN, tools=trees.ORIN_TOOLS)


@pytest.fixture
def laptop(tmp_path: Path) -> Host:
    return plant(tmp_path, trees.LAPTOP)


def test_a_board_in_order_has_nothing_to_mend(pi: Host) -> None:
    checks = checkup(pi, lambda _: QUIET)
    assert {each.status for each in checks} == {"good"} and not spoilt(checks)
    assert not any(each.mend for each in checks)
    assert {each.name for each in checks} == {
        "machine",
        "governor",
        "throttling",
        "temperature",
        "load",
        "swap",
        "memory",
        "disk",
        "time",
    }


def test_a_governor_that_waits_for_load_is_named_with_the_command_against_it(tmp_path: Path) -> None:
    check = found(plant(tmp_path, trees.PI4))["governor"]
    assert (check.status, check.found) == ("warn", "ondemand")
    assert check.mend == "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"


def test_one_slow_policy_of_two_is_enough(orin: Host) -> None:
    write(orin.root, "/sys/devices/system/cpu/cpufreq/policy4/scaling_governor", "performance")
    assert found(orin)["governor"].found == "performance, schedutil"
    write(orin.root, "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance")
    assert found(orin)["governor"].status == "good"


def test_a_machine_whose_clocks_are_hidden_is_unknown_and_not_good(tmp_path: Path) -> None:
    checks = found(plant(tmp_path, trees.BARE_VM))
    names = ("governor", "temperature", "swap", "memory")
    assert {checks[name].status for name in names} == {"unknown"}
    assert checks["machine"].status == "warn" and "boost" not in checks and "battery" not in checks


def test_turbo_and_boost_are_found_by_either_switch(laptop: Host) -> None:
    check = found(laptop)["boost"]
    assert (check.status, check.mend) == ("warn", "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo")
    write(laptop.root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1")
    assert found(laptop)["boost"].status == "good"
    laptop.path("/sys/devices/system/cpu/intel_pstate/no_turbo").unlink()
    write(laptop.root, "/sys/devices/system/cpu/cpufreq/boost", "1")
    assert found(laptop)["boost"].mend == "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"


def test_a_bound_below_the_hardwares_is_found(pi: Host) -> None:
    write(pi.root, "/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1500000")
    check = found(pi)["clock limit"]
    assert (check.status, check.found) == ("warn", "policy0 may run at 1500 of 2400 MHz")
    assert check.mend == "echo 2400000 | sudo tee /sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq"


@pytest.mark.parametrize(
    ("bits", "status", "says", "mend"),
    [
        ("0x50005", "bad", "under-voltage, throttled, under-voltage since boot, throttled since boot", "supply"),
        ("0x50000", "warn", "under-voltage since boot, throttled since boot", "supply"),
        ("0x80008", "bad", "soft temperature limit, soft temperature limit since boot", "fan"),
        ("0x80000", "warn", "soft temperature limit since boot", "fan"),
    ],
)
def test_throttling_is_bad_now_and_a_warning_afterwards(pi: Host, bits: str, status: str, says: str, mend: str) -> None:
    host = Host(pi.root, Tools({"vcgencmd get_throttled": f"throttled={bits}"}))
    check = found(host)["throttling"]
    assert (check.status, check.found) == (status, says) and mend in check.mend


def test_only_a_pi_ought_to_tell_throttle_bits(pi: Host, tmp_path: Path) -> None:
    assert found(Host(pi.root, lambda command: None))["throttling"].status == "unknown"
    assert "throttling" not in found(plant(tmp_path / "laptop", trees.LAPTOP))


@pytest.mark.parametrize(("milli", "status"), [(69_900, "good"), (70_000, "warn"), (80_000, "bad")])
def test_a_pi_is_hot_from_80_degrees_on_whatever_its_trip_points_say(pi: Host, milli: int, status: str) -> None:
    write(pi.root, "/sys/class/thermal/thermal_zone0/temp", str(milli))
    assert found(pi)["temperature"].status == status


@pytest.mark.parametrize(("milli", "status"), [(88_000, "good"), (90_000, "warn"), (99_000, "bad")])
def test_an_orin_is_hot_at_its_own_trip_point(orin: Host, milli: int, status: str) -> None:
    write(orin.root, "/sys/class/thermal/thermal_zone8/temp", str(milli))
    write(orin.root, "/sys/class/thermal/thermal_zone0/temp", "40000")
    check = found(orin)["temperature"]
    assert check.status == status and "limit 99 °C" in check.found and check.found.startswith("tj-thermal")


def test_a_trip_point_of_zero_is_none(laptop: Host) -> None:
    assert found(laptop)["temperature"].found == "x86_pkg_temp 55.0 °C, limit 95 °C"


def test_swap_in_use_is_found(tmp_path: Path) -> None:
    check = found(plant(tmp_path, trees.PI4))["swap"]
    assert (check.status, check.found, check.mend) == ("warn", "128 MiB in use", "sudo swapoff -a")


@pytest.mark.parametrize(("mib", "status"), [(4000, "good"), (900, "warn"), (200, "bad")])
def test_too_little_memory_is_found(pi: Host, mib: int, status: str) -> None:
    write(pi.root, "/proc/meminfo", f"MemTotal: {8000 * 1024} kB\\nMemAvailable: {mib * 1024} kB")
    assert found(pi)["memory"].status == status


def test_the_three_busiest_programs_are_named(pi: Host) -> None:
    names = ("chromium", "apt", "Xorg", "sshd")
    busy = tuple(Busy(100 + n, name, settings.cores() * 0.4 / 2**n) for n, name in enumerate(names))
    check = found(pi, replace(QUIET, others=busy))["load"]
    assert check.status == "warn" and "sshd" not in check.found
    assert all(f"{name} (pid {100 + n})" in check.found for n, name in enumerate(names[:3]))
    assert "stop chromium" in check.mend
    assert found(pi, replace(QUIET, others=(Busy(7, "sshd", 0.01),)))["load"].status == "good"


def test_time_that_a_hypervisor_took_is_bad(pi: Host) -> None:
    check = found(pi, replace(QUIET, steal_share=0.04))["steal"]
    assert (check.status, check.found) == ("bad", "4.0% of the time went to other machines")
    assert "steal" not in found(pi)


def test_an_orin_below_its_highest_mode_is_found(orin: Host) -> None:
    check = found(orin)["power mode"]
    assert (check.status, check.mend) == ("warn", "sudo nvpmodel -m 2") and "25W" in check.found
    best = Host(orin.root, Tools({"nvpmodel -q": "NV Power Mode: MAXN_SUPER\n2"}))
    assert found(best)["power mode"].status == "good"
    assert "clock limit" not in found(orin), "the mode sets it"
    orin.path("/etc/nvpmodel.conf").unlink()
    assert found(orin)["power mode"].status == "unknown"


def test_an_orin_without_jetson_clocks_is_found(orin: Host) -> None:
    check = found(orin)["jetson_clocks"]
    assert (check.status, check.mend) == ("warn", "sudo jetson_clocks")
    assert check.found == "off: policy0, policy4, GPU may clock down"
    for policy in ("policy0", "policy4"):
        write(orin.root, f"/sys/devices/system/cpu/cpufreq/{policy}/scaling_min_freq", "1344000")
    assert found(orin)["jetson_clocks"].found == "off: GPU may clock down"
    write(orin.root, "/sys/class/devfreq/17000000.gpu/min_freq", "918000000")
    assert found(orin)["jetson_clocks"].status == "good"


def test_a_battery_that_is_discharged_is_found_and_a_mouses_is_not(laptop: Host) -> None:
    assert found(laptop)["battery"].status == "warn"
    write(laptop.root, "/sys/class/power_supply/BAT0/status", "Not charging")
    assert found(laptop)["battery"].status == "good"
    write(laptop.root, "/sys/class/power_supply/BAT0/scope", "Device")
    assert "battery" not in found(laptop)


def test_energy_counters_that_are_closed_are_unknown_and_spoil_nothing(laptop: Host) -> None:
    assert "energy" not in found(laptop)
    for zone in laptop.glob("/sys/class/powercap/intel-rapl:*"):
        laptop.path(f"{zone}/energy_uj").unlink()  # as good as closed
    assert found(laptop)["energy"].status == "unknown"


def test_a_slow_or_coarse_clock_is_found(laptop: Host, pi: Host) -> None:
    check = found(laptop)["time"]
    assert check.status == "warn" and "hpet" in check.found and check.mend.startswith("echo tsc | sudo tee ")
    assert found(pi, replace(QUIET, clock_resolution_s=0.004))["time"].status == "bad"


@pytest.mark.parametrize(("free", "status"), [(50 * GIB, "good"), (GIB // 2, "warn"), (4 * GIB, "warn"), (0, "bad")])
def test_a_disk_that_is_nearly_full_is_found(pi: Host, free: int, status: str) -> None:
    check = found(pi, replace(QUIET, disk_bytes=(100 * GIB, free)))["disk"]
    assert check.status == status and "/tmp" in check.found
    assert found(pi, replace(QUIET, disk_bytes=None))["disk"].status == "unknown"


def test_unknown_spoils_nothing_and_a_warning_does() -> None:
    good, unknown, warn = (Check("x", status, "") for status in ("good", "unknown", "warn"))
    assert not spoilt((good, unknown)) and spoilt((good, warn)) and spoilt((Check("x", "bad", ""),))


def test_whatever_spoils_a_measurement_says_what_to_do(tmp_path: Path) -> None:
    tables = (trees.PI4, trees.ORIN, trees.LAPTOP, trees.BARE_VM)
    tools = trees.PI4_TOOLS | trees.ORIN_TOOLS
    crowded = Around((Busy(1, "x", 9.0),), 0.5, 0.004, Path("/tmp"), (GIB, 0))
    spoils = [
        each
        for number, table in enumerate(tables)
        for each in checkup(plant(tmp_path / str(number), table, tools=tools), lambda _: crowded)
        if each.status in ("warn", "bad")
    ]
    assert len({each.name for each in spoils}) >= 12 and all(each.mend for each in spoils)


def test_steal_is_that_of_the_second_in_which_one_looks(tmp_path: Path) -> None:
    host = plant(tmp_path, "/proc/stat cpu 100 0 50 800 10 0 5 35 0 0")

    def meanwhile(seconds: float) -> tuple[Busy, ...]:
        write(tmp_path, "/proc/stat", "cpu 130 0 70 830 10 0 5 55 40 0")
        return ()

    assert around.look(host, 0.0, meanwhile).steal_share == pytest.approx(20 / 100)
    assert around.look(host, 0.0, lambda seconds: ()).steal_share is None, "no time went by"
    assert around.look(plant(tmp_path / "bare"), 0.0, lambda seconds: ()).steal_share is None


def test_a_real_process_at_work_is_seen_and_this_one_is_not() -> None:
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1000))

    here = threading.Thread(target=work)
    here.start()
    try:
        busy = {each.pid: each for each in around.busy(0.6)}
    finally:
        over.set()
        here.join()
        worker.kill()
        worker.wait()
    assert os.getpid() not in busy
    assert busy[worker.pid].cores > 0.1 and "python" in busy[worker.pid].name
    assert all(each.cores > 0 for each in busy.values())


def test_this_machine_can_be_looked_at() -> None:
    checks = checkup(Host(), lambda host: around.look(host, 0.05))
    assert {"machine", "governor", "load", "swap", "memory", "disk", "time"} <= {each.name for each in checks}
