"""A real thread reads real files that change."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest

from benchmarks.board.sensors import thermal
from benchmarks.board.sensors.sensor import Sensor
from benchmarks.board.telemetry import Telemetry
from benchmarks.document.schema import Series
from tests.benchmarks.board.planting import plant, write

FILE = "/sys/class/thermal/thermal_zone0/temp"


def test_what_a_file_says_over_time_is_recorded_in_order_and_a_silence_as_null(tmp_path: Path) -> None:
    host = plant(tmp_path, f"{FILE} 40000\n/sys/class/thermal/thermal_zone0/type cpu-thermal")
    zero_ns = time.monotonic_ns()
    with Telemetry(thermal.find(host), zero_ns=zero_ns, interval_s=0.02) as telemetry:
        for content in ("41000", "gone", "42000"):
            time.sleep(0.1)
            # In one step, as sysfs does it: half a number must not be seen.
            write(tmp_path, "/new", content)
            (tmp_path / "new").replace(host.path(FILE))
        time.sleep(0.1)
        while_it_runs = telemetry.series()
    (series,) = telemetry.series()
    assert (series.source, series.where, series.quantity) == (FILE, "cpu-thermal", "temp_c")
    changes = [one for one, other in zip(series.value, (*series.value[1:], 0.0), strict=True) if one != other]
    assert changes == [40.0, 41.0, None, 42.0]
    assert list(series.t_ns) == sorted(series.t_ns) and len(series.t_ns) == len(series.value)
    assert 0 <= series.t_ns[0] < 0.1e9 and series.t_ns[-1] <= time.monotonic_ns() - zero_ns
    assert series.t_ns[-1] >= 0.4e9
    assert series.value[: len(while_it_runs[0].value)] == while_it_runs[0].value
    assert msgspec.json.decode(msgspec.json.encode(series), type=Series) == series


def test_even_the_shortest_run_has_a_first_and_a_last_reading(tmp_path: Path) -> None:
    host = plant(tmp_path, f"{FILE} 40000")
    with Telemetry(thermal.find(host), zero_ns=time.monotonic_ns(), interval_s=60) as telemetry:
        pass
    assert len(telemetry.series()[0].value) == 2


def test_a_faulty_sensor_gives_null_and_the_others_go_on() -> None:
    def fail() -> float | None:
        raise RuntimeError("a fault that nobody thought of")

    found = (Sensor("faulty", "x", "temp_c", fail), Sensor("good", "y", "temp_c", lambda: 1.0))
    with Telemetry(found, zero_ns=time.monotonic_ns(), interval_s=0.01) as telemetry:
        time.sleep(0.1)
    faulty, good = telemetry.series()
    assert set(faulty.value) == {None} and set(good.value) == {1.0}
    assert len(faulty.value) == len(good.value) > 2


def test_a_dear_sensor_is_read_as_seldom_as_it_wants() -> None:
    asked: list[str] = []

    def reading(name: str) -> float:
        asked.append(name)
        return 1.0

    found = (
        Sensor("tool", "x", "power_w", lambda: reading("tool"), every_s=0.2),
        Sensor("file", "y", "power_w", lambda: reading("file")),
    )
    with Telemetry(found, zero_ns=time.monotonic_ns(), interval_s=0.02):
        time.sleep(0.5)
    assert 3 <= asked.count("tool") <= 5  # at 0, 0.2, 0.4 and at the end
    assert asked.count("file") >= 12


def test_a_slow_sensor_does_not_stretch_the_interval() -> None:
    def slow() -> float:
        time.sleep(0.05)
        return 1.0

    with Telemetry((Sensor("slow", "x", "power_w", slow),), zero_ns=time.monotonic_ns(), interval_s=0.1) as telemetry:
        time.sleep(0.75)
    assert len(telemetry.series()[0].value) >= 8  # 5 if it waited 0.1 s after each


def test_bits_are_kept_though_they_were_set_for_a_moment_only() -> None:
    values = iter([0x4, 0x1])  # at the start and at the end

    def read() -> int | None:
        value = next(values, None)
        if value is None:
            raise OSError("asked once too often")
        return value

    with Telemetry((), zero_ns=time.monotonic_ns(), interval_s=0.01, bits=read) as telemetry:
        pass
    assert telemetry.seen_bits == 0x5


def test_the_thread_ends_with_the_context_even_after_an_error() -> None:
    with pytest.raises(KeyError), Telemetry((), zero_ns=0, interval_s=60):
        assert any(each.name == "telemetry" for each in threading.enumerate())
        raise KeyError
    assert all(each.name != "telemetry" for each in threading.enumerate())


def test_half_a_second_between_readings_costs_almost_no_processor_time(tmp_path: Path) -> None:
    table = "\n".join(f"/sys/class/thermal/thermal_zone{n}/temp 40000" for n in range(20))
    found = thermal.find(plant(tmp_path, table))
    start = time.process_time()
    with Telemetry(found, zero_ns=time.monotonic_ns()):
        time.sleep(1.2)
    assert time.process_time() - start < 0.06
