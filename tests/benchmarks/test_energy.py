from __future__ import annotations

import pytest

from benchmarks import energy
from benchmarks.document.schema import Process, Series, Warmup

S = 1_000_000_000


def process(start_s: float, wall_s: float, photos: int) -> Process:
    return Process(
        started_ns=0,
        engine_build_ns=None,
        load_ns=1,
        first_inference_ns=1,
        warmup=Warmup(queries=0, converged=False),
        photo=(0,),
        start_ns=(int(start_s * S),),
        samples_ns={"whole": (int(wall_s * S),)},
        photos=photos,
        wall_ns=int(wall_s * S),
        cpu_ns=1,
        others_cpu_share=None,
        peak_rss_bytes=None,
    )


def sensor(quantity: str, told: list[tuple[float, float | None]], where: str = "VDD_IN") -> Series:
    return Series(
        source="ina3221",
        where=where,
        quantity=quantity,  # type: ignore[arg-type]
        t_ns=tuple(int(t * S) for t, _ in told),
        value=tuple(value for _, value in told),
    )


def test_power_is_integrated_over_the_queries_alone_and_idle_is_taken_off() -> None:
    power = sensor("power_w", [(t / 2, 2.0 if t < 10 else 6.0) for t in range(60)])
    (told,) = energy.of_run([power], [process(10, 5, 50), process(20, 5, 50)], (0, 4 * S))
    assert told.joules == pytest.approx(60) and told.seconds == 10 and told.mean_w == pytest.approx(6)
    assert told.joules_per_photo == pytest.approx(0.6) and told.idle_w == pytest.approx(2)
    assert told.above_idle_joules_per_photo == pytest.approx(0.4)


def test_a_counters_joules_are_its_difference() -> None:
    counter = sensor("energy_j", [(float(t), 100 + 7.0 * t) for t in range(30)], "package-0")
    (told,) = energy.of_run([counter], [process(10, 10, 10)], None)
    assert told.mean_w == pytest.approx(7) and told.joules_per_photo == pytest.approx(7)
    assert told.idle_w is None and told.above_idle_joules_per_photo is None and told.where == "package-0"


@pytest.mark.parametrize("values", [[], [(11.0, None), (12.0, None)], [(1.0, 5.0), (2.0, 5.0)], [(12.0, 5.0)]])
def test_a_sensor_that_was_silent_during_the_queries_gives_no_figure(values: list[tuple[float, float | None]]) -> None:
    assert energy.of_run([sensor("power_w", values)], [process(10, 5, 50)], None) == ()


def test_two_sensors_stay_two_and_a_thermometer_is_none() -> None:
    powers = [sensor("power_w", [(t, w) for t in range(30)], where) for where, w in (("VDD_IN", 9.0), ("wall", 12.0))]
    heat = sensor("temp_c", [(float(t), 50.0) for t in range(30)])
    told = energy.of_run([*powers, heat], [process(10, 5, 50)], None)
    assert [(each.where, round(each.mean_w)) for each in told] == [("VDD_IN", 9), ("wall", 12)]
