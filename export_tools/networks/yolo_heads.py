"""The last layer of a YOLO network, with its decode: boxes in pixels and scores, both final but for suppression.

Boxes and scores never share a tensor: boxes are hundreds where scores are below one, and one scale for both would
leave nothing of the scores. The decode is made of element-wise operations only, so nothing quantizes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from export_tools.networks.yolo_parts import Block, Given


class Head(Block):
    """Base of the heads: feature maps in, boxes [N, A, 4] `xyxy` in pixels and scores [N, A, classes] out."""

    suppressed = True
    """Whether one object still has several boxes, so that the reader has to suppress all but one."""
    stretched = False
    """Whether the family trains on photos stretched to the input's shape."""

    def set_up(self, given: Given) -> None:
        strides = given.need("stride", Tensor).flatten().tolist()
        if not strides or any(stride < 1 or stride != int(stride) for stride in strides):
            raise given.error(f"has strides {strides}; the checkpoint was saved before its network was finished")
        self.strides = [int(stride) for stride in strides]
        self.classes = given.need("nc", int)

    def lay_out(self, width: int, height: int) -> None:
        """Make the grids for an input of this size, pixels: a multiple of the largest stride each way."""
        raise NotImplementedError

    def last_layers(self) -> dict[str, nn.Module]:
        """The convolutions whose outputs are decoded, by their qualified names inside the head."""
        raise NotImplementedError

    def _cells(self, width: int, height: int) -> list[Tensor]:
        """Per stride the top left corners of the cells, [cells, 2] as x and y, in cells."""
        cells = []
        for stride in self.strides:
            rows, columns = torch.arange(height // stride), torch.arange(width // stride)
            y, x = torch.meshgrid(rows, columns, indexing="ij")
            cells.append(torch.stack([x, y], -1).reshape(-1, 2).float())
        return cells


class AnchorHead(Head):
    """YOLOv5: per cell three anchors, each with centre, size, objectness and classes, all through a sigmoid.

    A score is objectness times class: the confidence that MegaDetector v5 reports.
    """

    needs = ("m",)

    def set_up(self, given: Given) -> None:
        super().set_up(given)
        anchors = given.buffer("anchors")
        if anchors is None or anchors.ndim != 3 or anchors.shape[0] != len(self.strides) or anchors.shape[2] != 2:
            raise given.error("has no anchors [strides, anchors, 2]")
        self.register_buffer("anchors", torch.empty_like(anchors, dtype=torch.float32))
        grid = given.buffer("anchor_grid")
        if grid is not None:
            # Up to release 5 the anchors stood in pixels too; they follow from `anchors` and the strides.
            self.register_buffer("anchor_grid", torch.empty_like(grid, dtype=torch.float32))
        self.per_cell = anchors.shape[1]

    def settle(self) -> None:
        if "anchor_grid" in self._buffers:
            del self._buffers["anchor_grid"]

    def lay_out(self, width: int, height: int) -> None:
        for level, cells in enumerate(self._cells(width, height)):
            stride = self.strides[level]
            corners = cells.repeat(self.per_cell, 1)[None] * stride
            sizes = (self.anchors[level] * stride).repeat_interleave(len(cells), 0)[None]
            self.register_buffer(f"corners{level}", corners, persistent=False)
            self.register_buffer(f"sizes{level}", sizes, persistent=False)

    def last_layers(self) -> dict[str, nn.Module]:
        return {f"m.{index}": layer for index, layer in enumerate(self.m)}

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        boxes, scores = [], []
        for level, (layer, given) in enumerate(zip(self.m, maps, strict=True)):
            raw = layer(given).flatten(2).unflatten(1, (self.per_cell, 5 + self.classes))
            raw = raw.transpose(2, 3).flatten(1, 2).sigmoid()
            stride = self.strides[level]
            centre = (raw[..., :2] * 2 - 0.5) * stride + self._buffers[f"corners{level}"]
            twice = raw[..., 2:4] * 2
            half = twice * twice * self._buffers[f"sizes{level}"] / 2
            boxes.append(torch.cat([centre - half, centre + half], -1))
            scores.append(raw[..., 4:5] * raw[..., 5:])
        return torch.cat(boxes, 1), torch.cat(scores, 1)


class DistanceHead(Head):
    """YOLOv8, 9, 11: per cell the distances from its middle to the four sides, and the classes; no objectness.

    A distance is the mean of a distribution over `reg_max` bins (Li et al. 2020, arXiv:2006.04388), in strides.
    """

    needs = ("cv2", "cv3", "dfl")
    boxes_at, classes_at, bins_at = "cv2", "cv3", "dfl"

    def set_up(self, given: Given) -> None:
        super().set_up(given)
        self.bins = given.need("reg_max", int)

    def settle(self) -> None:
        projection = getattr(self, self.bins_at)
        weights = [parameter.detach().flatten() for parameter in projection.parameters()]
        values = weights[0] if weights else torch.zeros(1)
        if len(weights) > 1 or len(values) != self.bins:
            raise ValueError(f"the projection of the distances has {len(values)} weights, not {self.bins}")
        self.register_buffer("values", values.reshape(1, 1, -1, 1).float(), persistent=False)
        for name in [name for name in self._modules if name not in (self.boxes_at, self.classes_at)]:
            del self._modules[name]

    def lay_out(self, width: int, height: int) -> None:
        cells = self._cells(width, height)
        strides = [
            torch.full((len(level), 1), float(stride)) for level, stride in zip(cells, self.strides, strict=True)
        ]
        self.register_buffer("middles", (torch.cat(cells) + 0.5).T[None], persistent=False)
        self.register_buffer("scale", torch.cat(strides).T[None], persistent=False)

    def last_layers(self) -> dict[str, nn.Module]:
        branches = {name: getattr(self, name) for name in (self.boxes_at, self.classes_at)}
        return {
            f"{name}.{level}.{len(layers) - 1}": layers[-1]
            for name, branch in branches.items()
            for level, layers in enumerate(branch)
        }

    def maps(self, given: Sequence[Tensor]) -> Sequence[Tensor]:
        """The maps that are read, one per stride."""
        return given

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        maps = self.maps(maps)
        raw = torch.cat([f(x).flatten(2) for f, x in zip(getattr(self, self.boxes_at), maps, strict=True)], 2)
        logits = torch.cat([f(x).flatten(2) for f, x in zip(getattr(self, self.classes_at), maps, strict=True)], 2)
        if self.bins > 1:
            raw = (raw.unflatten(1, (4, self.bins)).softmax(2) * self.values).sum(2)
        corners = [self.middles - raw[:, :2], self.middles + raw[:, 2:]]
        boxes = torch.cat(corners, 1) * self.scale
        return boxes.transpose(1, 2), logits.sigmoid().transpose(1, 2)


class OneToOneHead(DistanceHead):
    """YOLOv10: two heads for training, of which the one that gives an object one box stays (arXiv:2405.14458).

    All its candidates are given, not the best 300: the reader's thresholds do the rest, and nothing is suppressed.
    """

    suppressed = False
    needs = ("dfl", "one2one_cv2", "one2one_cv3")
    may_have = ("cv2", "cv3")
    boxes_at, classes_at = "one2one_cv2", "one2one_cv3"


class DualHead(DistanceHead):
    """YOLOv9 as its authors train it: the first half of the maps feeds an auxiliary head, the rest the main one."""

    needs = ("cv2", "cv3", "cv4", "cv5", "dfl", "dfl2")
    boxes_at, classes_at, bins_at = "cv4", "cv5", "dfl2"

    def maps(self, given: Sequence[Tensor]) -> Sequence[Tensor]:
        return given[len(given) // 2 :]


def distance_head(given: Given, children: dict[str, nn.Module]) -> Head:
    """A `Detect` layer of the ultralytics releases: some are trained like YOLOv10 and say so only by their parts."""
    kind = OneToOneHead if "one2one_cv2" in children else DistanceHead
    return kind(given, children)


def head_of_models(given: Given, children: dict[str, nn.Module]) -> Head:
    """A `Detect` layer of `models.yolo`: YOLOv5's has anchors; YOLOv9's code has one of that name without."""
    return AnchorHead(given, children) if "m" in children else DistanceHead(given, children)


HEADS: dict[str, Callable[[Given, dict[str, nn.Module]], Head]] = {
    "models.yolo.Detect": head_of_models,
    "models.yolo.DDetect": DistanceHead,
    "models.yolo.DualDetect": DualHead,
    "models.yolo.DualDDetect": DualHead,
    "ultralytics.Detect": distance_head,
    "ultralytics.v10Detect": OneToOneHead,
}
"""By namespace and class name."""
