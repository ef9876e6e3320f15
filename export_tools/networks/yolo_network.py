"""A YOLO network rebuilt from its pickle: its layers, their order and weights, under code of this project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from export_tools.checkpoints.skeleton import Skeleton
from export_tools.networks.yolo_blocks import BLOCKS
from export_tools.networks.yolo_fusing import fuse
from export_tools.networks.yolo_heads import HEADS, Head
from export_tools.networks.yolo_leaves import LEAVES
from export_tools.networks.yolo_parts import Block, Given, LayoutError
from export_tools.networks.yolo_transformer import TRANSFORMER_BLOCKS, QueryHead

_BLOCKS: dict[str, Callable[..., Block]] = {**BLOCKS, **TRANSFORMER_BLOCKS}
_HEADS: dict[str, Callable[..., Head]] = {**HEADS, "ultralytics.RTDETRDecoder": QueryHead}
_CONTAINERS = {"Sequential": nn.Sequential, "ModuleList": nn.ModuleList}
_DEEPEST = 32


class YoloNetwork(nn.Module):
    """Layers in a row, of which some read earlier ones; the last is the head.

    `forward` takes [N, 3, height, width], RGB, 0..1, of the size given to `build`, and returns boxes [N, A, 4] `xyxy`
    in pixels of the input, and scores [N, A, classes], 0..1.
    """

    def __init__(self, layers: Sequence[nn.Module], sources: Sequence[tuple[int, ...] | int]) -> None:
        super().__init__()
        self.model = nn.ModuleList(layers)
        self._sources = list(sources)
        self._read_later = {index for source in sources for index in _listed(source)}

    @property
    def head(self) -> Head:
        """The last layer."""
        return self.model[-1]

    @property
    def last_layers(self) -> tuple[str, ...]:
        """Qualified names of the convolutions whose outputs the head decodes."""
        return tuple(f"model.{len(self.model) - 1}.{name}" for name in self.head.last_layers())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        # Place -1 is the image, and places are counted from the front.
        values: dict[int, Any] = {-1: image}
        for place, (layer, source) in enumerate(zip(self.model, self._sources, strict=True)):
            given = values[source] if isinstance(source, int) else [values[index] for index in source]
            result = layer(given)
            if place - 1 not in self._read_later:
                values.pop(place - 1, None)
            values[place] = result
        return values[len(self.model) - 1]


def build(skeleton: Skeleton, *, width: int, height: int) -> YoloNetwork:
    """Rebuild the network for one input size, for inference: batch norms folded, grids laid.

    Args:
        skeleton: the pickled network: one child `model`, a sequence of layers that know what they read.
        width, height: pixels, multiples of `stride(skeleton)`.

    Raises:
        LayoutError: as `assemble`.
    """
    network = assemble(skeleton, width=width, height=height)
    fuse(network)
    return network


def assemble(skeleton: Skeleton, *, width: int, height: int) -> YoloNetwork:
    """Rebuild the network with its weights as they are, batch norms of their own; otherwise as `build`.

    Raises:
        LayoutError: names the layer whose class is not known, whose parts do not fit or whose weights are missing,
            surplus or of another shape.
    """
    rows = _rows(skeleton)
    # Weights are put in afterwards: what a layer says of its size allocates nothing.
    with torch.device("meta"):
        layers = [_made(row, f"model.{place}") for place, row in enumerate(rows)]
    if not isinstance(layers[-1], Head):
        raise LayoutError(f"model.{len(rows) - 1}", f"the last layer is a {rows[-1].name}, not a detection head")
    network = YoloNetwork(layers, [_source(row, place) for place, row in enumerate(rows)])
    _fill(network, skeleton.tensors())
    network.eval().requires_grad_(False)
    try:
        network.head.settle()
        network.head.lay_out(width, height)
        with torch.no_grad():
            network(torch.zeros(1, 3, height, width))
    except (ValueError, RuntimeError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError("", f"its layers do not fit each other: {error}") from error
    return network


def stride(skeleton: Skeleton) -> int:
    """The largest stride of the network: sides of the input are multiples of it.

    Raises:
        LayoutError: the pickle is not a network of layers, or its head has no strides.
    """
    rows = _rows(skeleton)
    # RT-DETR's head has none of its own.
    said = rows[-1] if "stride" in rows[-1].attributes else skeleton
    strides = Given(said, f"model.{len(rows) - 1}").need("stride", Tensor)
    if not strides.numel() or not 1 <= float(strides.max()) <= 1024:
        raise LayoutError("", "has no strides; the checkpoint was saved before its network was finished")
    return int(strides.max())


def _rows(skeleton: Skeleton) -> list[Skeleton]:
    children = skeleton.children
    if set(children) != {"model"}:
        raise LayoutError("", f"a {skeleton.name} with the parts {sorted(children)}, where one, 'model', is expected")
    rows = list(children["model"].children.values())
    if not rows:
        raise LayoutError("model", "has no layers")
    return rows


def _source(row: Skeleton, place: int) -> tuple[int, ...] | int:
    given = Given(row, f"model.{place}")
    read = given.need("f", int, list, tuple)
    places = []
    for index in _listed(read):
        absolute = place + index if isinstance(index, int) and index < 0 else index
        if not isinstance(index, int) or not -1 <= absolute < place:
            raise given.error(f"reads layer {index}, which is not before it")
        places.append(absolute)
    return places[0] if isinstance(read, int) else tuple(places)


def _listed(source: Any) -> Sequence[Any]:
    return [source] if isinstance(source, int) else source


def _made(skeleton: Skeleton, where: str, depth: int = 0) -> nn.Module:
    if depth > _DEEPEST:
        raise LayoutError(where, f"more than {_DEEPEST} layers inside each other")
    given = Given(skeleton, where)
    children = {name: _made(child, f"{where}.{name}", depth + 1) for name, child in skeleton.children.items()}
    kind = skeleton.name
    try:
        if skeleton.path.startswith("torch.nn."):
            if kind in _CONTAINERS:
                made = _CONTAINERS[kind]()
                for name, child in children.items():
                    made.add_module(name, child)
                return made
            if kind in LEAVES:
                return LEAVES[kind](given)
        elif head := _HEADS.get(f"{_namespace(skeleton.path)}.{kind}"):
            return head(given, children)
        elif kind in _BLOCKS:
            return _BLOCKS[kind](given, children)
    except (TypeError, ValueError, RuntimeError, OverflowError, ZeroDivisionError) as error:
        raise given.error(f"cannot be rebuilt: {error}") from error
    raise LayoutError(where, f"a layer of the class '{skeleton.path}', which is not known here")


def _namespace(path: str) -> str:
    package = path.removeprefix("yolov5.").rpartition(".")[0]
    return "ultralytics" if package.startswith("ultralytics.") else package


def _fill(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    expected = network.state_dict()
    missing, surplus = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    for what, names in (("missing", missing), ("surplus", surplus)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise LayoutError(names[0].rpartition(".")[0], f"{what} weights: {', '.join(names[:3])}{more}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            wanted, found = tuple(expected[name].shape), tuple(tensor.shape)
            raise LayoutError(name, f"has the shape {found}; its layer says {wanted}")
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    network.load_state_dict(floats, strict=True, assign=True)
