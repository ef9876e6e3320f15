"""A small detector's graph with all that quantizing has to mind: a residual, shared weights, a head, a decode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
CELLS = 16 * 16 + 8 * 8
HEAD = ("box_fine", "box_coarse", "score_fine", "score_coarse")
"""The last convolutions; each two share their weights."""
TRUNK = ("stem", "middle")


def build(file: Path, *, batch: int | str = 1, opset: int = 17) -> Path:
    """`image` [1, 3, 32, 32] -> `boxes` [1, 320, 4] up to 1280, `scores` [1, 320, 2], 0..1.

    Boxes and scores pass through one tensor, as they do in YOLOv5.
    """
    make = helper.make_node
    window = {"kernel_shape": [3, 3], "pads": [1] * 4}
    nodes = [
        make("Conv", ["image", "stem.w", "stem.b"], ["stem.y"], "stem", strides=[2, 2], **window),
        make("Relu", ["stem.y"], ["stem.a"], "stem.relu"),
        make("Conv", ["stem.a", "middle.w", "middle.b"], ["middle.y"], "middle", **window),
        make("Relu", ["middle.y"], ["middle.a"], "middle.relu"),
        make("Add", ["stem.a", "middle.a"], ["fine"], "residual"),
        make("MaxPool", ["fine"], ["coarse"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    for level in ("fine", "coarse"):
        for kind in ("box", "score"):
            name = f"{kind}_{level}"
            nodes += [
                make("Conv", [level, f"{kind}.w", f"{kind}.b"], [f"{name}.y"], name, kernel_shape=[1, 1]),
                make("Reshape", [f"{name}.y", f"{kind}.shape"], [f"{name}.r"], f"{name}.flat"),
                make("Sigmoid", [f"{name}.r"], [f"{name}.s"], f"{name}.sigmoid"),
            ]
    nodes += [
        make("Concat", ["box_fine.s", "box_coarse.s"], ["box.all"], "box.concat", axis=2),
        make("Concat", ["score_fine.s", "score_coarse.s"], ["score.all"], "score.concat", axis=2),
        make("Mul", ["box.all", "pixels"], ["box.pixels"], "box.scale"),
        make("Concat", ["box.pixels", "score.all"], ["joined"], "join", axis=1),
        make("Transpose", ["joined"], ["rows"], "turn", perm=[0, 2, 1]),
        make("Split", ["rows", "parts"], ["boxes", "scores"], "split", axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, CELLS, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, CELLS, 2]),
        ],
        [numpy_helper.from_array(value, name) for name, value in _weights().items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(file))
    return file


def pictures(count: int, seed: int = 0) -> list[NDArray[np.float32]]:
    """Blurred noise, [1, 3, 32, 32] each, of different brightness."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(count, 3, 8, 8)) * random.uniform(0.5, 1.5, (count, 1, 1, 1))
    return [np.kron(one, np.ones((4, 4)))[None].astype(np.float32) for one in coarse]


def _weights() -> dict[str, NDArray[np.generic]]:
    random = np.random.default_rng(1)

    def normal(*shape: int, size: float) -> NDArray[np.float32]:
        return (random.normal(size=shape) * size).astype(np.float32)

    return {
        "stem.w": normal(8, 3, 3, 3, size=0.3),
        "stem.b": normal(8, size=0.2),
        "middle.w": normal(8, 8, 3, 3, size=0.15),
        "middle.b": normal(8, size=0.2),
        "box.w": normal(4, 8, 1, 1, size=0.4),
        "box.b": normal(4, size=0.2),
        "score.w": normal(2, 8, 1, 1, size=0.8),
        "score.b": normal(2, size=0.2),
        "box.shape": np.array([0, 4, -1], np.int64),
        "score.shape": np.array([0, 2, -1], np.int64),
        "pixels": np.array(1280, np.float32),
        "parts": np.array([4, 2], np.int64),
    }
