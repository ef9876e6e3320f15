from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.individuals import matching


@pytest.mark.parametrize(("rows", "dimensions"), [(1, 2), (49, 3), (1200, 2152), (5000, 33)])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_search_is_exact(rows: int, dimensions: int, threads: int) -> None:
    chance = np.random.default_rng(rows)
    matrix = matching.unit(chance.standard_normal((rows, dimensions))).astype(np.float16)
    queries = matching.unit(chance.standard_normal((70, dimensions)))
    expected = np.clip(queries.astype(np.float64) @ matrix.astype(np.float64).T, -1, 1)
    found = matching.nearest(matrix, queries, threads=threads)
    k = min(50, rows)
    assert found.places.shape == found.cosines.shape == (70, k)
    best = -np.sort(-expected, axis=1)[:, :k]
    np.testing.assert_allclose(found.cosines, best, atol=2e-6)
    np.testing.assert_allclose(np.take_along_axis(expected, found.places, axis=1), best, atol=2e-6)
    assert all(len(set(one)) == k for one in found.places.tolist())


def test_the_smallest_numbers_of_float16_count_too() -> None:
    matrix = np.array([[6e-8, 1.0], [0.0, 1.0], [-6e-8, -1.0]], np.float16)
    assert matrix[0, 0] > 0
    found = matching.cosines(matrix, np.array([[1.0, 0.0]], np.float32), threads=1)
    assert found[0, 0] > 0 and found[0, 1] == 0 and found[0, 2] < 0


def test_equal_ones_come_in_the_order_of_the_gallery() -> None:
    matrix = np.tile(np.array([[0.6, 0.8]], np.float16), (120, 1))
    found = matching.nearest(matrix, np.array([[0.6, 0.8]], np.float32), threads=1)
    assert len(set(found.cosines[0].tolist())) == 1 and list(found.places[0]) == sorted(found.places[0])


def test_a_score_is_what_miewid_makes_of_a_distance() -> None:
    for cosine in (-1.0, -0.2, 0.0, 0.7, 1.0):
        distance = 1 - cosine
        assert matching.score(cosine) == pytest.approx((2 - distance) / 2)


@pytest.mark.parametrize("broken", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_what_has_no_direction_is_refused(broken: list[float]) -> None:
    with pytest.raises(ValueError, match="NaN or infinite values, or only zeros"):
        matching.unit(np.array([[1.0, 0.0], broken]))


def test_the_graph_is_what_its_comment_says() -> None:
    nodes = [
        helper.make_node("Cast", ["block"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["queries", "wide"], ["cosines"], transB=1),
    ]
    inputs = [
        helper.make_tensor_value_info("block", TensorProto.FLOAT16, ["rows", "d"]),
        helper.make_tensor_value_info("queries", TensorProto.FLOAT, ["n", "d"]),
    ]
    output = helper.make_tensor_value_info("cosines", TensorProto.FLOAT, ["n", "rows"])
    graph = helper.make_graph(nodes, "cosines", inputs, [output])
    carried = onnx.load_from_string(matching._GRAPH)
    assert carried.graph == graph
    assert carried.opset_import == [helper.make_opsetid("", 17)]


def test_no_float32_copy_of_the_gallery_is_made() -> None:
    code = """
import resource, numpy as np
from edge_runtime.individuals import matching
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
queries = matching.unit(np.random.default_rng(0).standard_normal((4, 2000)))
matching.nearest(np.zeros((4, 2000), np.float16), queries, threads=1)
matrix = np.full((50_000, 2000), 0.02, np.float16)
before = peak()
matching.nearest(matrix, queries, threads=1)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # 200 MB of float16 would be 400 MB of float32.
    assert float(run.stdout) < 50
