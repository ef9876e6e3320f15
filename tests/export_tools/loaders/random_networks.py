"""Networks with random weights that answer differently to different pictures: fixtures for loaders whose real weights
nobody may put here.

With plain random weights a deep network answers nearly the same to everything, and a test of equal answers could not
fail. So batch normalisation is measured on photographs, and the last layer is scaled to what comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_runtime.values import Pixels
from export_tools.model import Model

MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def photographs() -> list[Pixels]:
    """Twelve pieces of four real photographs, uint8 RGB."""
    from skimage import data

    pieces = []
    for photo in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        side = min(photo.shape[:2]) // 2
        pieces += [
            np.ascontiguousarray(photo[y : y + side, x : x + side]) for y, x in ((0, 0), (0, side), (side, side))
        ]
    return pieces


def pictures(width: int, height: int) -> Tensor:
    """The photographs as [12, 3, height, width], with ImageNet's mean and deviation."""
    small = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in photographs()]
    scaled = (np.stack(small).astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network with the same random weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(20240)
        return build()


def calibrate(network: nn.Module, images: Tensor) -> None:
    """Measure every batch normalisation's mean and variance on the images; leaves the network in eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    network.train()
    # Dropped paths would put noise into what is measured.
    for module in network.modules():
        if type(module).__name__ in ("Dropout", "DropPath", "StochasticDepth"):
            module.eval()
    with torch.inference_mode():
        network(images)
    network.eval()


def spread(network: nn.Module, last: nn.Linear, images: Tensor) -> None:
    """Scale the last layer so that each output has mean 0 and deviation 3 over the images."""
    with torch.inference_mode():
        outputs = network(images)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    if outputs.shape[1] != last.out_features:
        raise ValueError("the last layer's outputs are not the network's")
    factor = 3 / outputs.std(0).clamp(1e-6)
    with torch.no_grad():
        last.bias.copy_((last.bias - outputs.mean(0)) * factor)
        last.weight.mul_(factor[:, None])


def run(model: Model, images: Tensor) -> list[Tensor]:
    """The outputs of a loaded model."""
    with torch.inference_mode():
        return list(model.network(images))


def export(model: Model, graph: Path, images: Tensor) -> dict[str, NDArray[Any]]:
    """Export as the exporter does, and run ONNX Runtime on the images: outputs by name."""
    import onnxruntime

    name = model.description.input.tensor
    torch.onnx.export(
        model.network,
        (images[:2],),
        str(graph),
        input_names=[name],
        output_names=list(model.outputs),
        dynamic_axes={tensor: {0: "batch"} for tensor in (name, *model.outputs)},
        opset_version=17,
        do_constant_folding=True,
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    results = session.run(list(model.outputs), {name: images.numpy()})
    return dict(zip(model.outputs, results, strict=True))


def reacts(scores: Tensor) -> bool:
    """Whether a classifier's answers [N, classes] depend on the picture: several classes win, by clear margins."""
    return len(set(scores.argmax(1).tolist())) >= 2 and float(scores.std(0).mean()) > 0.5


def alike(embeddings: Tensor) -> Tensor:
    """The cosine of each pair, [N, N]."""
    lengths = embeddings / embeddings.norm(dim=1, keepdim=True)
    return lengths @ lengths.T
