from __future__ import annotations

from typing import get_args

import pytest

from benchmarks import boundaries
from benchmarks.document.schema import Scenario


def test_copies_to_and_from_a_gpu_are_inside_only_where_there_is_one() -> None:
    assert boundaries.of("single", "onnxruntime") == ("read", "decode", "preprocess", "infer", "postprocess")
    assert boundaries.of("single", "tensorrt") == (
        "read",
        "decode",
        "preprocess",
        "h2d",
        "infer",
        "d2h",
        "postprocess",
    )


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_only_a_burst_out_of_the_cold_holds_loading_and_only_the_whole_way_the_journal(scenario: Scenario) -> None:
    stages = boundaries.of(scenario, "openvino")
    assert ("load" in stages) == (scenario == "trap")
    assert ("journal" in stages) == ("hash" in stages) == (scenario in ("trap", "card"))
    assert "whole" not in stages and "first" not in stages
