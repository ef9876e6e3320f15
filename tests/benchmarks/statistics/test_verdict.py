from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from benchmarks.document import reading
from benchmarks.document.schema import Process, Throttle, Warmup
from benchmarks.statistics.verdict import judge, relative

UNTROUBLED = Throttle(source=None, bits_before=None, bits_after=None, raised=(), below_max_share=None)


def process(samples: list[int], photos: list[int], *, others: float | None = 0.01) -> Process:
    return Process(
        started_ns=0,
        engine_build_ns=None,
        load_ns=1,
        first_inference_ns=1,
        warmup=Warmup(queries=40, converged=True),
        photo=tuple(photos),
        start_ns=tuple(range(len(samples))),
        samples_ns={"whole": tuple(samples)},
        photos=len(samples),
        wall_ns=sum(samples),
        cpu_ns=sum(samples),
        others_cpu_share=others,
        peak_rss_bytes=None,
    )


def steady(*, spread: float = 0.01, seed: int = 1, slow: float = 1.0) -> Process:
    """Photos of which each takes another time, always about the same."""
    dice = random.Random(seed)
    photos = [number % 10 for number in range(60)]
    return process([round(1e6 * (1 + each) * slow * dice.gauss(1, spread)) for each in photos], photos)


def test_photos_of_different_cost_are_no_unsteadiness() -> None:
    run = [steady(seed=seed) for seed in range(7)]
    assert judge(run, UNTROUBLED, on_gpu=False) == ("stable", ())
    assert max(relative(run)) < 1.1


def test_what_spreads_too_much_is_inconclusive_and_a_gpu_is_held_to_half_of_it() -> None:
    run = [steady(spread=0.035, seed=seed) for seed in range(7)]
    assert judge(run, UNTROUBLED, on_gpu=False)[0] == "stable"
    status, reasons = judge(run, UNTROUBLED, on_gpu=True)
    assert status == "inconclusive" and "vary by 3." in reasons[0]


def test_a_board_that_grows_slower_is_inconclusive() -> None:
    run = [steady(seed=seed, slow=1 + 0.02 * seed) for seed in range(7)]
    status, reasons = judge(run, UNTROUBLED, on_gpu=False)
    assert status == "inconclusive" and any("last half took +" in why for why in reasons)


def test_many_slow_queries_are_inconclusive_though_the_median_stands_still() -> None:
    dice = random.Random(5)
    photos = [number % 10 for number in range(60)]
    run = [process([round(1e6 * dice.choice((1, 1, 1, 1.06))) for _ in photos], photos) for _ in range(7)]
    status, reasons = judge(run, UNTROUBLED, on_gpu=False)
    assert status == "inconclusive" and any("lie within 5%" in why for why in reasons)


def test_a_busy_neighbour_is_named() -> None:
    run = [steady(seed=1), process([1_000_000] * 60, [0] * 60, others=0.4)]
    status, reasons = judge(run, UNTROUBLED, on_gpu=False)
    assert status == "inconclusive" and any("other programs took up to 40%" in why for why in reasons)


@pytest.mark.parametrize(
    "throttle",
    [
        Throttle(
            source="vcgencmd get_throttled",
            bits_before=0,
            bits_after=0x50005,
            raised=("under-voltage, now",),
            below_max_share=None,
        ),
        Throttle(source=None, bits_before=None, bits_after=None, raised=(), below_max_share=0.3),
    ],
)
def test_a_board_that_held_its_clock_back_is_throttled_however_steady_it_was(throttle: Throttle) -> None:
    status, reasons = judge([steady(seed=seed) for seed in range(7)], throttle, on_gpu=False)
    assert status == "throttled" and len(reasons) == 1


def test_photos_that_were_seen_too_seldom_prove_nothing() -> None:
    status, reasons = judge([process([5, 5, 5, 5], [0, 1, 2, 3])], UNTROUBLED, on_gpu=False)
    assert status == "inconclusive" and "too few to judge" in reasons[0]


RECORDED = Path(__file__).parent / "recorded"
"""Documents of real runs: one on a machine left alone, one whose machine got neighbours in mid-run."""


@pytest.mark.parametrize(("name", "status"), [("quiet", "stable"), ("neighbour", "inconclusive")])
def test_real_runs_are_judged_as_what_happened_to_them(name: str, status: str) -> None:
    told = reading.read(RECORDED / f"{name}.json")
    judged, reasons = judge(told.processes, told.throttle, on_gpu=False)
    assert judged == told.verdict.status == status and reasons == told.verdict.reasons


def test_the_same_quiet_run_with_one_query_in_twenty_ten_times_as_slow_is_not_stable() -> None:
    told = reading.read(RECORDED / "quiet.json")
    slow = []
    for process in told.processes:
        whole = [ns * 10 if place % 20 == 0 else ns for place, ns in enumerate(process.samples_ns["whole"])]
        slow.append(msgspec.structs.replace(process, samples_ns={"whole": tuple(whole)}))
    status, reasons = judge(slow, told.throttle, on_gpu=False)
    assert status == "inconclusive" and "vary by" in reasons[0]
