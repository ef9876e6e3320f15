"""Each kind of sensor against the layouts of real boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.board import sensors
from benchmarks.board.sensors import hwmon, raspberry
from benchmarks.board.sensors.sensor import Rising, Shared
from edge_runtime.device.host import Host
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import Tools, plant, write


def told(host: Host) -> dict[tuple[str, str], float | None]:
    """(where, quantity) -> value; a name that came twice would hide one, so that is looked at too."""
    found = sensors.find(host)
    names = [(each.where, each.quantity) for each in found]
    assert len(set(names)) == len(names), names
    return {(each.where, each.quantity): each.read() for each in found}


def test_a_pi_4_tells_heat_and_both_clocks_but_no_power(tmp_path: Path) -> None:
    assert told(plant(tmp_path, trees.PI4, tools=trees.PI4_TOOLS)) == {
        ("cpu-thermal", "temp_c"): pytest.approx(45.277),
        ("policy0", "freq_hz"): 600e6,
        ("arm, by the firmware", "freq_hz"): 600117184.0,
    }


def test_a_pi_5_tells_the_power_of_its_power_chip(tmp_path: Path) -> None:
    found = told(plant(tmp_path, trees.PI5, tools=trees.PI5_TOOLS))
    # Worked out by hand from the recorded text; EXT5V and BATT have a voltage but no current.
    by_hand = (
        0.00195190 * 3.70501500
        + 0.05953345 * 3.31029200
        + 0.17761290 * 1.79780500
        + 0.02244685 * 1.10988400
        + 0.18444450 * 1.10402400
        + 0.33670280 * 0.80402620
        + 0.84564000 * 0.72049640
        + 0.00366230 * 0.79684260
        + 0.01171880 * 5.08488000
    )
    assert found[("PMIC", "power_w")] == pytest.approx(by_hand) and 1.6 < by_hand < 1.8
    assert found[("arm, by the firmware", "freq_hz")] == 2400033024.0


def test_tools_are_wanted_once_a_second_and_files_at_any_time(tmp_path: Path) -> None:
    for each in sensors.find(plant(tmp_path, trees.PI5, tools=trees.PI5_TOOLS)):
        assert each.every_s == (1.0 if each.source.startswith("vcgencmd") else 0.0), each.source


def test_the_firmwares_temperature_stands_in_only_where_the_kernel_has_none(tmp_path: Path) -> None:
    host = plant(tmp_path, tools=trees.PI5_TOOLS)
    assert told(host)[("soc", "temp_c")] == 52.7
    write(tmp_path, "/sys/class/thermal/thermal_zone0/temp", "52700")
    assert [each.where for each in sensors.find(host) if each.quantity == "temp_c"] == ["thermal_zone0"]


def test_an_orin_tells_each_rail_once_and_its_gpus_clock(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN, tools=trees.ORIN_TOOLS)
    assert told(host) == {
        ("cpu-thermal", "temp_c"): pytest.approx(48.156),
        ("gpu-thermal", "temp_c"): pytest.approx(47.031),
        ("tj-thermal", "temp_c"): pytest.approx(48.156),
        ("policy0", "freq_hz"): 729.6e6,
        ("policy4", "freq_hz"): 729.6e6,
        ("VDD_IN", "power_w"): pytest.approx(4.960 * 1.240),
        ("VDD_CPU_GPU_CV", "power_w"): pytest.approx(4.952 * 0.120),
        ("VDD_SOC", "power_w"): pytest.approx(4.952 * 0.288),
        ("17000000.gpu", "freq_hz"): 306e6,
    }


def test_an_ina3221_that_only_its_driver_shows_is_found_too(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    (tmp_path / "sys/class/hwmon/hwmon1").unlink()
    assert [each.where for each in hwmon.find(host)] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]


def test_an_ina3221s_shunt_voltage_is_no_rail(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN, "/sys/class/hwmon/hwmon1/in4_label  sum")
    assert "sum" not in [each.where for each in hwmon.find(host)]


def test_jetpack_4_tells_its_rails_in_milliwatts(tmp_path: Path) -> None:
    assert told(plant(tmp_path, trees.NANO_JETPACK4)) == {
        ("POM_5V_IN", "power_w"): pytest.approx(2.134),
        ("POM_5V_GPU", "power_w"): pytest.approx(0.041),
        ("57000000.gpu", "freq_hz"): 76.8e6,
    }


def test_a_laptop_tells_its_packages_energy_once_and_nothing_of_its_battery(tmp_path: Path) -> None:
    found = told(plant(tmp_path, trees.LAPTOP))
    assert {name: value for name, value in found.items() if name[1] != "freq_hz"} == {
        ("acpitz", "temp_c"): pytest.approx(51.0),
        ("x86_pkg_temp", "temp_c"): pytest.approx(55.0),
        ("amdgpu PPT", "power_w"): pytest.approx(11.023),
        ("package-0", "energy_j"): pytest.approx(262143.0),
        ("package-0/core", "energy_j"): pytest.approx(5.0),
        ("psys", "energy_j"): pytest.approx(7.0),
    }
    assert [name for name, quantity in found if quantity == "freq_hz"] == ["policy0", "policy2", "policy10"]


def test_the_processors_own_thermometer_counts_where_no_zone_shows_it(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.LAPTOP)
    (tmp_path / "sys/class/thermal/thermal_zone1/type").unlink()
    assert ("coretemp Package id 0", "temp_c") in told(host)


def test_each_gpu_has_its_own_figures_and_one_call_serves_all(tmp_path: Path) -> None:
    host = plant(tmp_path, tools=trees.GPU_TOOLS)
    assert told(host) == {
        ("GPU 0", "temp_c"): 41.0,
        ("GPU 0", "power_w"): 62.13,
        ("GPU 0", "freq_hz"): 1980e6,
        ("GPU 1", "temp_c"): 39.0,
        ("GPU 1", "freq_hz"): 345e6,
    }
    assert isinstance(host.tool, Tools)
    assert sum("power.draw" in each for each in host.tool.asked) == 1


def test_a_shared_answer_is_asked_for_again_after_half_a_second() -> None:
    now, asked = [100.0], []

    def ask() -> str:
        asked.append(now[0])
        return str(len(asked))

    shared = Shared(ask, lambda: now[0])
    assert [shared(), shared()] == ["1", "1"]
    now[0] += 0.49
    assert shared() == "1"
    now[0] += 0.02
    assert shared() == "2"


def test_a_bare_machine_has_no_sensors(tmp_path: Path) -> None:
    assert sensors.find(plant(tmp_path, trees.BARE_VM)) == ()


def test_names_of_sources_do_not_depend_on_where_the_root_lies(tmp_path: Path) -> None:
    for table in (trees.PI4, trees.LAPTOP):
        for each in sensors.find(plant(tmp_path / str(len(table)), table)):
            assert each.source.startswith("/sys/"), each.source


@pytest.mark.parametrize("garbage", ["", "N/A", "\\xff", "12 34"])
def test_a_file_that_turns_to_garbage_gives_none(tmp_path: Path, garbage: str) -> None:
    host = plant(tmp_path, trees.ORIN, trees.NANO_JETPACK4, trees.LAPTOP.replace("hwmon1/", "hwmon9/"))
    found = [each for each in sensors.find(host) if " " not in each.source]
    assert len(found) >= 15
    for each in found:
        write(tmp_path, each.source, garbage)
        assert each.read() is None, each.source


def test_a_rail_without_one_of_its_halves_gives_none(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.ORIN)
    rail = next(each for each in sensors.find(host) if each.where == "VDD_IN")
    host.path("/sys/class/hwmon/hwmon1/curr1_input").unlink()
    assert rail.read() is None


def test_a_counter_that_wraps_goes_on_rising(tmp_path: Path) -> None:
    host = plant(tmp_path, trees.LAPTOP)
    package = next(each for each in sensors.find(host) if each.where == "package-0")
    before = package.read()
    write(tmp_path, package.source, "671150")  # 328,850 µJ to the end of the range, then from zero
    after = package.read()
    assert before is not None and after is not None and after - before == pytest.approx(1.0)
    write(tmp_path, package.source, "nothing")
    assert package.read() is None
    write(tmp_path, package.source, "1671150")
    assert package.read() == pytest.approx(before + 2.0)


def test_a_counter_without_a_range_that_was_set_back_counts_what_is_new() -> None:
    values = iter([5_000_000, 6_000_000, 500_000])
    rising = Rising(lambda: next(values), None)
    assert [rising(), rising(), rising()] == [5.0, 6.0, 6.5]


@pytest.mark.parametrize(
    "text",
    [None, "", 'error=1 error_msg="Command not registered"', "VDD_CORE_V volt(15)=0.72V", "X_A current(0)=1.2.3A"],
)
def test_a_power_chip_that_says_nothing_usable_has_no_power(text: str | None) -> None:
    assert raspberry.power(text) is None


@pytest.mark.parametrize("text", [None, "", "frequency(48)=", "frequency(48)=0", "VCHI initialization failed"])
def test_a_clock_that_the_firmware_does_not_know_is_none(text: str | None) -> None:
    assert raspberry.clock(text) is None and raspberry.temperature(text) is None


def test_this_machine_can_be_asked() -> None:
    for each in sensors.find(Host()):
        value = each.read()
        assert value is None or abs(value) < 1e15
