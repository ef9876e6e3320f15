"""Real processes on a board whose sensors are a recorded one's: what they say gets into the document."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import photo_set, running, subject
from benchmarks.document.schema import Document
from benchmarks.profiles import LENGTHS
from benchmarks.running import Order
from edge_runtime.device.host import Host
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import plant

RAILS_W = 2.0
"""Of what the planted PMIC tells while the model runs; 0.5 before."""


class Board:
    """A Raspberry Pi 5's tools; its PMIC tells little power while the board idles before the first worker."""

    def __init__(self, *, throttled_after: int | None = None) -> None:
        self.asked_bits = 0
        self.busy_from: float | None = None
        self.throttled_after = throttled_after

    def __call__(self, command: Sequence[str]) -> str | None:
        words = " ".join(command)
        if words == "vcgencmd get_throttled":
            self.asked_bits += 1
            planted = self.throttled_after is not None and self.asked_bits > self.throttled_after
            return "throttled=0x20002" if planted else "throttled=0x0"
        if words == "vcgencmd pmic_read_adc":
            self.busy_from = self.busy_from or time.monotonic() + running.IDLE_S + 0.3
            amperes = 0.5 if time.monotonic() < self.busy_from else RAILS_W
            return f"VDD_CORE_A current(7)={amperes:.8f}A\nVDD_CORE_V volt(15)=1.00000000V"
        return trees.PI5_TOOLS.get(words)


def measured(
    bundle: Path,
    photos: Path,
    host: Host,
    *,
    seconds: float = 9,
    soak_s: float = 0,
    progress: running.Progress = lambda *told: None,
) -> Document:
    length = replace(LENGTHS["quick"], seconds=seconds, processes=3, soak_s=soak_s)
    order = Order("single", "quick", length, cpus=1, seed=1, argv=(), tool_version="1", git_sha=None, ambient_c=30.0)
    subjects = subject.find(str(bundle), scenario="single", cpus=1, only=(), threads=1, streams=1)
    with photo_set.opened(photos, count=4, seed=1) as drawn:
        (taken,), interrupted = running.measure(subjects, drawn, order, host=host, progress=progress)
    assert not interrupted and taken.document is not None
    return taken.document


@pytest.fixture
def pi5(tmp_path: Path) -> Host:
    return plant(tmp_path / "pi5", trees.PI5)


def test_joules_come_from_the_boards_sensor_and_idle_from_before(
    layered_bundle: Path, small_photos: Path, pi5: Host
) -> None:
    told = measured(layered_bundle, small_photos, replace(pi5, tool=Board()))
    (energy,) = told.energy
    assert energy.where == "PMIC" and energy.idle_w is not None and energy.idle_w < 1.0
    assert energy.mean_w == pytest.approx(RAILS_W, rel=0.02)
    assert energy.photos == sum(process.photos for process in told.processes)
    assert energy.joules_per_photo == pytest.approx(energy.mean_w / told.throughput_measured_ips, rel=0.02)
    assert energy.above_idle_joules_per_photo is not None
    assert energy.above_idle_joules_per_photo < energy.joules_per_photo
    assert told.device.board.startswith("Raspberry Pi 5") and told.conditions.ambient_c == 30.0
    temperatures = [each for each in told.telemetry if each.quantity == "temp_c"]
    assert temperatures and statistics.median(v for v in temperatures[0].value if v) == pytest.approx(52.7)


def test_the_way_that_is_told_goes_forward_through_rest_warming_and_rounds(
    layered_bundle: Path, small_photos: Path, pi5: Host
) -> None:
    told: list[tuple[str, float, float]] = []
    host = replace(pi5, tool=Board())
    measured(layered_bundle, small_photos, host, seconds=3, soak_s=4, progress=lambda *step: told.append(step))
    whole_s = running.IDLE_S + 4 + 3
    assert {whole for _, _, whole in told} == {whole_s}
    done = [done for _, done, _ in told]
    assert done == sorted(done) and done[-1] == whole_s
    warming = {done for what, done, _ in told if what == "warming the board"}
    assert len(warming) > 2 and min(warming) == running.IDLE_S and max(warming) <= running.IDLE_S + 4
    assert next(done for what, done, _ in told if what.startswith("round 1 ")) == running.IDLE_S + 4


def test_a_throttle_bit_that_is_raised_in_mid_run_makes_it_throttled(
    layered_bundle: Path, small_photos: Path, pi5: Host
) -> None:
    told = measured(layered_bundle, small_photos, replace(pi5, tool=Board(throttled_after=8)))
    assert told.throttle.bits_before == 0 and told.throttle.bits_after == 0x20002
    assert told.verdict.status == "throttled"
    assert any("frequency capped" in why for why in told.verdict.reasons)


def test_a_machine_without_sensors_has_no_energy_and_no_zeros(
    layered_bundle: Path, small_photos: Path, tmp_path: Path
) -> None:
    told = measured(layered_bundle, small_photos, plant(tmp_path / "vm", trees.BARE_VM), seconds=1)
    assert told.energy == () and told.throttle.bits_before is None and told.throttle.below_max_share is None
