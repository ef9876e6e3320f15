"""What counts as throttled, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.board import counters, throttling
from benchmarks.board.clocks import Policy
from benchmarks.board.throttling import Snapshot, below_max_share, between, look
from edge_runtime.device.host import Host
from edge_runtime.device.throttle_bits import names, read_bits
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import plant, write

FILE = "/sys/devices/platform/soc/soc:firmware/get_throttled"


def bits(value: int | None) -> Snapshot:
    return Snapshot("vcgencmd get_throttled" if value is not None else None, value, {}, ())


def policy(
    ticks: dict[int, int] | None, *, governor: str = "performance", top: int | None = None, n: int = 0
) -> Policy:
    return Policy(f"/cpufreq/policy{n}", governor, None, top, None, ticks)


def test_the_bits_are_named_as_the_tool_documents_them() -> None:
    assert names(0x50005) == ["under-voltage", "throttled", "under-voltage since boot", "throttled since boot"]
    assert names(0xA000A) == [
        "frequency capped",
        "soft temperature limit",
        "frequency capped since boot",
        "soft temperature limit since boot",
    ]
    assert names(0) == [] and names(0x8F0F0) == ["soft temperature limit since boot"]


@pytest.mark.parametrize(
    ("before", "after", "seen", "raised"),
    [
        (0x0, 0x0, 0x0, ()),
        (0x50000, 0x50000, 0x50000, ()),  # all of it long ago
        (0x50000, 0x50005, 0x0, ("under-voltage", "throttled")),
        (0x50005, 0x50000, 0x0, ("under-voltage", "throttled")),  # it began so
        (0x0, 0x80000, 0x0, ("soft temperature limit",)),  # between two looks
        (0x10000, 0x90000, 0x0, ("soft temperature limit",)),  # the first one is old
        (0x40000, 0x40000, 0x4, ("throttled",)),  # seen while it ran, though it had happened before
        (0x0, 0x0, 0x20002, ("frequency capped",)),
        (None, 0x50000, 0x0, ()),  # since when, nobody knows
        (None, 0x50001, 0x0, ("under-voltage",)),
        (0x0, None, 0x0, ()),
    ],
)
def test_what_was_raised(before: int | None, after: int | None, seen: int, raised: tuple[str, ...]) -> None:
    found = between(bits(before), bits(after), seen)
    assert found.raised == raised
    assert (found.bits_before, found.bits_after) == (before, after)
    assert found.source == "vcgencmd get_throttled"


def test_the_tool_is_asked_first_and_the_file_serves_without_it(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.PI4, tools=trees.PI4_TOOLS)
    assert read_bits(host) == ("vcgencmd get_throttled", 0x50005)
    write(tmp_path, FILE, "20002")
    assert read_bits(Host(tmp_path, lambda command: None)) == (FILE, 0x20002)
    assert read_bits(Host(tmp_path, lambda command: "VCHI initialization failed")) == (FILE, 0x20002)


@pytest.mark.parametrize("folder", ["soc@107c000000/soc@107c000000:firmware", "soc:firmware"])
def test_the_file_is_found_wherever_the_kernel_puts_it(tmp_path: Path, folder: str) -> None:
    name = f"/sys/devices/platform/{folder}/get_throttled"
    assert read_bits(plant(tmp_path, f"{name} f000f")) == (name, 0xF000F)


def test_a_kernel_with_no_more_than_an_alarm_tells_of_under_voltage(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.PI4)
    write(tmp_path, FILE, "garbage")
    write(tmp_path, "/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1")
    assert read_bits(host) == ("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", 1)


@pytest.mark.parametrize("table", [trees.LAPTOP, trees.ORIN, trees.BARE_VM])
def test_a_board_without_bits_has_none(tmp_path: Path, table: str) -> None:
    assert read_bits(plant(tmp_path, table)) == (None, None)


def test_a_bare_machine_tells_nothing_and_nothing_is_made_up(tmp_path: Path) -> None:
    seen = look(plant(tmp_path, trees.BARE_VM))
    found = between(seen, seen)
    assert (found.source, found.bits_before, found.bits_after, found.raised) == (None, None, None, ())
    assert found.below_max_share is None


def test_the_share_below_the_maximum_is_of_the_run_and_not_since_boot(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.PI5)
    before = look(host)
    ticks = "/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state"
    write(tmp_path, ticks, "1500000 120\\n2400000 5060")
    assert between(before, look(host)).below_max_share == pytest.approx(0.25)
    write(tmp_path, ticks, "1500000 100\\n2400000 5080")
    assert between(before, look(host)).below_max_share == 0.0


def test_the_worst_policy_counts_where_all_are_held_up_and_the_best_one_elsewhere() -> None:
    zero = {1: 0, 2: 0}
    half, tenth = {1: 50, 2: 50}, {1: 10, 2: 90}
    for governor, share in (("performance", 0.5), ("schedutil", 0.1)):
        before = (policy(zero, governor=governor, n=0), policy(zero, governor=governor, n=4))
        after = (policy(half, governor=governor, n=0), policy(tenth, governor=governor, n=4))
        assert below_max_share(before, after) == pytest.approx(share)


def test_a_clock_that_a_power_mode_caps_is_at_its_maximum_there() -> None:
    before, after = policy({1: 0, 2: 0, 3: 7}, top=2), policy({1: 0, 2: 100, 3: 7}, top=2)
    assert below_max_share((before,), (after,)) == 0.0
    between_steps = policy({1: 0, 20: 0, 30: 7}, top=25), policy({1: 25, 20: 75, 30: 7}, top=25)
    assert below_max_share(between_steps[:1], between_steps[1:]) == 0.25


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, {1: 5}), ({1: 5}, None), ({1: 5}, {1: 5}), ({1: 5, 2: 9}, {1: 50, 2: 0})],
    ids=["not before", "not after", "too short", "counted anew"],
)
def test_a_share_that_cannot_be_told_is_none(before: dict[int, int] | None, after: dict[int, int] | None) -> None:
    assert below_max_share((policy(before),), (policy(after),)) is None


def test_a_damaged_statistic_is_none(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.PI5)
    write(tmp_path, "/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state", "1500000 1\\n2400000")
    assert look(host).policies[0].ticks is None


def test_a_bound_that_the_kernel_lowers_during_the_run_is_raised(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    before = look(host)
    assert between(before, look(host)).raised == ()
    write(tmp_path, "/sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq", "1036800")
    assert between(before, look(host)).raised == ("clock limit of policy4 lowered from 1344 to 1037 MHz",)


def test_a_jetsons_over_current_events_count_from_the_runs_start(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    before = look(host)
    write(tmp_path, "/sys/class/hwmon/hwmon2/oc3_event_cnt", "5")
    found = between(before, look(host))
    assert found.raised == ("over-current oc3",) and found.source == counters.JETSON


def test_heat_that_slowed_an_x86_core_counts_from_the_runs_start(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.LAPTOP)
    before = look(host)
    assert before.counts == {counters.X86: {"core too hot": 5, "package too hot": 9}}
    assert between(before, look(host)).raised == ()
    write(tmp_path, "/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "3")
    assert between(before, look(host)).raised == ("core too hot",)


def test_a_gpus_slowdowns_count_from_the_runs_start_and_an_old_driver_has_none(tmp_path: Path) -> None:
    command = " ".join(counters.NVIDIA)
    before, after = (look(plant(tmp_path, tools={command: text})) for text in ("0, 5, 0, 0", "0, 5, 17, 0"))
    assert between(before, after).raised == ("GPU 0 sw thermal slowdown",)
    assert between(before, before).raised == ()
    old = plant(tmp_path, tools={command: "Field is not a valid field to query."})
    assert counters.look(old) == {} and counters.look(plant(tmp_path, tools={command: "0, [N/A], [N/A], [N/A]"})) == {}


def test_a_counter_that_appears_during_the_run_says_nothing_of_it() -> None:
    before, after = Snapshot(None, None, {}, ()), Snapshot(None, None, {"x": {"too hot": 9}}, ())
    assert between(before, after).raised == ()


def test_this_machine_can_be_asked() -> None:
    seen = throttling.look(Host())
    assert 0 <= (between(seen, throttling.look(Host())).below_max_share or 0.0) <= 1
