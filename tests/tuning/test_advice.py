"""What to do, by what dominates."""

from __future__ import annotations

import pytest

from edge_runtime.laps import STAGES
from edge_runtime.tuning.advice import Circumstances, advise

PLAIN = Circumstances(tuned=False, precision="int8", int8="int8", full_decode=False)


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (Circumstances(False, "fp32", "onnxruntime-int8", False), "engine: onnxruntime-int8"),
        (Circumstances(True, "fp32", "", False), "edge-export quantize"),
        (Circumstances(False, "int8", "int8", False), "run edge-runtime tune"),
        (Circumstances(True, "int8", "int8", False), "smaller model"),
    ],
)
def test_slow_inference_is_told_what_is_left_to_try(now: Circumstances, says: str) -> None:
    assert says in advise("infer", now, card_mb_s=20)


def test_full_decoding_is_told_of_reduced_decoding_and_reduced_is_not() -> None:
    full = Circumstances(False, "int8", "int8", True)
    assert "decode: reduced" in advise("decode", full, card_mb_s=20)
    assert "decode: reduced" not in advise("decode", PLAIN, card_mb_s=20)


def test_a_slow_card_is_told_its_speed() -> None:
    assert "7 MB/s" in advise("read", PLAIN, card_mb_s=7.2)


def test_every_stage_has_its_own_advice() -> None:
    assert len({advise(stage, PLAIN, card_mb_s=20) for stage in STAGES}) == len(STAGES)
