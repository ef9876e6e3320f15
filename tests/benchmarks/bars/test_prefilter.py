from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bars.prefilter.bursts import Shot, emptied_bursts, real_bursts, staged_bursts
from benchmarks.bars.prefilter.figures import share, table
from benchmarks.bars.prefilter.measuring import measure
from edge_runtime.models.loading import load_detector
from tests.colour_detector import photo

ANIMAL = {(1, 1): "animal"}


def test_the_interval_is_wilsons() -> None:
    some = share({"a"}, dict.fromkeys("abcdefghij", 0.0))
    assert (some.count, some.of) == (1, 10)
    assert (some.low, some.high) == (pytest.approx(0.0179, abs=1e-4), pytest.approx(0.4042, abs=1e-4))
    assert str(share(set(), set())) == "none to count"


def test_what_is_passed_over_found_and_lost_is_counted_by_what_the_pipeline_did(colour_bundle: Path) -> None:
    detector = load_detector(str(colour_bundle), threads=1, streams=2)

    def shot(cells: dict[tuple[int, int], str], area: float, comment: int) -> Shot:
        data = photo(cells, seed=7)
        segment = b"\xff\xfe\x00\x06" + comment.to_bytes(4, "big")
        return Shot(data[:2] + segment + data[2:], area)

    bursts = [
        [shot({}, 0.0, 10 * burst), shot({}, 0.0, 10 * burst + 1), shot(ANIMAL, 1 / 16, 10 * burst + 2)]
        for burst in range(4)
    ]
    result = measure(bursts, detector, rounds=1)
    assert (result.bursts, result.photos) == (4, 12)
    assert (result.passed_over.count, result.passed_over.of) == (4, 12)
    assert (result.passed_over_empty.count, result.passed_over_empty.of) == (4, 8)
    assert (result.lost.count, result.lost.of) == (0, 4)
    assert [each.of for each in result.lost_by_area.values()] == [0, 0, 0, 4]
    assert "4 of 12" in table("staged", result)


def test_real_photos_become_bursts(assets: Path) -> None:
    real, emptied = list(real_bursts(assets)), list(emptied_bursts(assets))
    assert len(real) == 7 and sum(map(len, real)) == 48
    assert emptied and all([shot.area for shot in burst][:2] == [0.0, 0.0] for burst in emptied)
    (first, *_) = staged_bursts(assets, 0)
    assert len(first) == 3 and len({shot.jpeg for shot in first}) == 3
