"""What the charts are drawn from: ratios, thinned samples, ticks, numbers in words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.document import reading
from benchmarks.document.schema import Document, Scenario
from benchmarks.page import drawing, making, ratios, thinning, trade_off, wording
from benchmarks.page.rows import Found, Row, numbered
from tests.benchmarks.made_documents import document, latencies

PI4 = "Raspberry Pi 4 Model B Rev 1.4"


def rows(*documents: Document) -> tuple[Row, ...]:
    return numbered((Path(f"{each.run.id}.json"), each) for each in documents)


@pytest.mark.parametrize("scenario", ["single", "multi", "offline", "trap", "card"])
@pytest.mark.parametrize("engine", ["onnxruntime", "tensorrt"])
def test_made_documents_contradict_themselves_nowhere(scenario: Scenario, engine: str) -> None:
    assert list(reading.contradictions(document(scenario=scenario, engine=engine))) == []
    bare = document(
        scenario=scenario, engine=engine, latencies_ms=[[5.0]], energy=(), accuracy=False, peak_rss_bytes=None
    )
    assert list(reading.contradictions(bare)) == []


@pytest.mark.parametrize("scenario", ["single", "offline"])
def test_the_ratio_is_against_the_slowest_and_its_interval_holds_it(scenario: Scenario) -> None:
    (found,) = ratios.compare(
        rows(document(scenario=scenario, middle_ms=40), document(scenario=scenario, middle_ms=80, variant="b"))
    )
    fast, slow = found.ratios
    assert (found.baseline, slow.value, slow.low) == (slow.row, 1.0, None)
    assert fast.value == pytest.approx(2.0, rel=0.05)
    assert fast.low is not None and fast.high is not None
    assert 1.9 < fast.low < fast.value < fast.high < 2.1


def test_the_interval_is_over_processes_not_over_queries() -> None:
    steady = [[80.0] * 500 for _ in range(6)]
    uneven = [[40.0] * 500, [60.0] * 500, [40.0] * 500, [60.0] * 500, [40.0] * 500, [60.0] * 500]
    (found,) = ratios.compare(rows(document(latencies_ms=steady), document(latencies_ms=uneven, variant="b")))
    fast = found.ratios[0]
    assert fast.low == pytest.approx(80 / 60) and fast.high == pytest.approx(80 / 40)


def test_one_process_has_no_interval_and_says_so() -> None:
    one = document(latencies_ms=[[40.0] * 100], variant="b")
    (found,) = ratios.compare(rows(document(), one))
    assert (found.ratios[0].low, found.ratios[0].high) == (None, None)
    assert any("no interval: 1 process" in label for label in found.ratios[0].labels)


def test_what_differs_beside_speed_is_said() -> None:
    slow = document(board=PI4, middle_ms=310, variant="fp32", precision="fp32", status="throttled", reasons=("hot",))
    (found,) = ratios.compare(rows(document(batch="another", threads=2), slow))
    assert found.ratios[0].labels == (
        "cross-device",
        "precision differs: int8 against fp32",
        "threads x streams: 2x1 against 4x1",
        "measured apart, not in turn",
        "the baseline is throttled",
    )


def test_different_questions_are_never_divided() -> None:
    other_input = document(variant="c")
    model = msgspec.structs.replace(other_input.model, input_shape=(1, 3, 320, 320))
    different = [
        document(),
        document(scenario="offline"),
        document(photos="other card"),
        document(engine="tensorrt"),
        document(variant="c", model=model),
    ]
    assert ratios.compare(rows(*different)) == []


def test_sensors_and_photo_sets_are_never_drawn_together() -> None:
    made = trade_off.charts(
        rows(document(energy=("PMIC", "wall")), document(energy=("wall",), photos="other", batch="b"))
    )
    titles = [chart.title for chart in made]
    assert len([title for title in titles if "latency" in title]) == 2
    assert sorted(title.split(" at ")[1] for title in titles if " at " in title) == [
        "PMIC, single",
        "wall, single",
        "wall, single",
    ]


SAMPLES = st.lists(st.floats(0.1, 5000.0), min_size=1, max_size=300)


@given(SAMPLES)
def test_thinning_covers_every_sample_and_moves_no_extreme(samples: list[float]) -> None:
    y, x = np.log(np.array(samples)), np.arange(len(samples), dtype=float)
    shown = (float(y.min()) - 0.1, float(y.max()) + 0.1)
    found = thinning.strokes(x, y, x_range=(-1.0, len(samples) + 1.0), y_range=shown)
    assert found[:, 2].max() == y.max() and found[:, 1].min() == y.min()
    column = (len(samples) + 2.0) / thinning.COLUMNS
    for at, value in zip(x, y, strict=True):
        near = found[np.abs(found[:, 0] - at) <= column]
        assert ((near[:, 1] <= value) & (value <= near[:, 2])).any()


def test_a_lonely_sample_is_a_stroke_of_its_own() -> None:
    y = np.log(np.full(20_000, 9.0))
    y[777] = np.log(90.0)
    shown = (np.log(8.0), np.log(100.0))
    found = thinning.strokes(np.arange(20_000.0), y, x_range=(0.0, 20_001.0), y_range=shown)
    assert len(found) <= thinning.COLUMNS + 1
    (lonely,) = found[found[:, 2] > np.log(50.0)]
    assert lonely[1] == lonely[2] == np.log(90.0)


def test_a_sensors_extremes_survive_and_its_silence_too() -> None:
    value = np.full(5000, 50.0)
    value[1234], value[4000], value[:500] = 91.5, 12.0, np.nan
    _, kept = thinning.extremes(np.arange(5000.0), value, 100)
    assert (np.nanmax(kept), np.nanmin(kept), len(kept) <= 200) == (91.5, 12.0, True)
    assert np.isnan(kept[0])


@given(st.floats(0.0005, 1e6), st.floats(1.02, 1e6))
def test_a_logarithmic_axis_has_ticks_within_its_ends(low: float, factor: float) -> None:
    ticks = drawing.log_ticks(low, low * factor)
    assert 1 <= len(ticks) <= 16
    assert all(low * 0.999 <= tick <= low * factor * 1.001 for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.0123"),
        (0.26, "0.260"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345, "12,345"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_names_in_charts_are_printable_and_short() -> None:
    assert wording.label("a\x00b\u202ec" + "x" * 99, 10) == "a b cxxxx…"


def test_a_query_of_no_time_at_all_is_drawn_too() -> None:
    made = document(latencies_ms=[[0.0, *each] for each in latencies(80.0, processes=2)], energy=())
    assert made.stats["whole"].min_ns == 0
    assert 'data-samples="242"' in making.page(Found(rows(made), (), ()))
