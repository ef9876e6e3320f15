"""How much memory the measuring of ranges takes, in a process of its own: the most that a process took never falls."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

LAYERS, SHAPE = 50, (1, 16, 512, 512)
"""17 MB for each tensor."""
MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
from export_tools.variants.ranges import measured
graph = Path(sys.argv[1])
picture = np.random.default_rng(0).random((1, 16, 512, 512), np.float32)
import onnx, onnxruntime, tqdm
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ranges = measured(graph, [picture], graph.parent)
print(len(ranges), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_a_tensor_is_gone_from_memory_when_its_last_reader_is_done(tmp_path: Path) -> None:
    names = [f"t{place}" for place in range(LAYERS + 1)]
    values = {name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SHAPE) for name in names}
    nodes = [onnx.helper.make_node("Sin", [one], [other]) for one, other in pairwise(names)]
    inner = [values[name] for name in names[1:-1]]
    chain = onnx.helper.make_graph(nodes, "chain", [values[names[0]]], [values[names[-1]]], value_info=inner)
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(chain, opset_imports=opsets, ir_version=8), str(tmp_path / "chain.onnx"))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "chain.onnx")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    count, taken = map(int, ran.stdout.split())
    assert count == LAYERS + 1
    # All tensors together would be 850 MB.
    assert taken < 200e6
