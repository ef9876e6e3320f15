"""RT-DETR (Zhao et al. 2023, arXiv:2304.08069) as the ultralytics releases build it: its blocks and its head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.yolo_heads import Head
from export_tools.networks.yolo_parts import Block, Given

_EDGE = 1e-2
"""Anchors nearer to the border than this part of the picture are not used."""
_SMALL = 1e-5


class HGStem(Block):
    """The first layers of HGNetv2: a convolution and a maximum side by side."""

    needs = ("stem1", "stem2a", "stem2b", "stem3", "stem4", "pool")

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(self.stem1(x), (0, 1, 0, 1))
        y = self.stem2b(functional.pad(self.stem2a(x), (0, 1, 0, 1)))
        return self.stem4(self.stem3(torch.cat([self.pool(x), y], 1)))


class LightConv(Block):
    """Two convolutions in a row, the second channel by channel."""

    needs = ("conv1", "conv2")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class HGBlock(Block):
    """Convolutions in a row, every step kept, squeezed and widened again."""

    needs = ("m", "sc", "ec")

    def set_up(self, given: Given) -> None:
        self.add = bool(given.need("add", bool))

    def forward(self, x: Tensor) -> Tensor:
        kept = [x]
        for step in self.m:
            kept.append(step(kept[-1]))
        y = self.ec(self.sc(torch.cat(kept, 1)))
        return x + y if self.add else y


class RepC3(Block):
    """The cross-stage block of RT-DETR: its branches are added."""

    needs = ("cv1", "cv2", "cv3", "m")

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(self.m(self.cv1(x)) + self.cv2(x))


def attend(layer: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention of [N, L, C], written out, so that it exports as plain products."""
    width, heads = layer.embed_dim, layer.num_heads
    weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    parts = [
        functional.linear(given, weight, bias).unflatten(2, (heads, width // heads)).transpose(1, 2)
        for given, weight, bias in zip((query, key, value), weights, biases, strict=True)
    ]
    share = (parts[0] @ parts[1].transpose(2, 3) / math.sqrt(width // heads)).softmax(-1)
    return layer.out_proj((share @ parts[2]).transpose(1, 2).flatten(2))


class AIFI(Block):
    """One transformer encoder layer over the positions of the smallest map."""

    needs = ("ma", "fc1", "fc2", "norm1", "norm2", "act")
    may_have = ("dropout", "dropout1", "dropout2")

    def set_up(self, given: Given) -> None:
        if given.get("normalize_before", False, bool):
            raise given.error("normalizes before its attention, which no release does")

    def forward(self, x: Tensor) -> Tensor:
        height, width = (int(side) for side in x.shape[2:])
        tokens = x.flatten(2).transpose(1, 2)
        placed = tokens + _positions(width, height, tokens.shape[2]).to(tokens)
        tokens = self.norm1(tokens + attend(self.ma, placed, placed, tokens))
        tokens = self.norm2(tokens + self.fc2(self.act(self.fc1(tokens))))
        return tokens.transpose(1, 2).unflatten(2, (height, width))


def _positions(width: int, height: int, channels: int) -> Tensor:
    """Sines and cosines of row and column, [1, positions, channels], row by row.

    For a square map this is what every release trains with; early ones mixed rows and columns up in any other.
    """
    count = channels // 4
    frequencies = 1 / 10000 ** (torch.arange(count, dtype=torch.float32) / count)
    rows = torch.arange(height).float().repeat_interleave(width)
    columns = torch.arange(width).float().repeat(height)
    angles = [places[:, None] * frequencies for places in (rows, columns)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], 1)[None]


class MLP(Block):
    """Linear layers with ReLU between them."""

    needs = ("layers",)
    may_have = ("act", "out_norm")

    def set_up(self, given: Given) -> None:
        self.sigmoid = given.get("sigmoid", False, bool)
        if given.get("residual", False, bool) or not isinstance(
            self._modules.get("out_norm", nn.Identity()), nn.Identity
        ):
            raise given.error("has a way round it or a norm behind it, which RT-DETR's have not")

    def forward(self, x: Tensor) -> Tensor:
        for place, layer in enumerate(self.layers):
            if place:
                x = functional.relu(x)
            x = layer(x)
        return x.sigmoid() if self.sigmoid else x


class MSDeformAttn(Block):
    """Deformable attention (Zhu et al. 2020, arXiv:2010.04159): each query looks at a few places in each map."""

    needs = ("sampling_offsets", "attention_weights", "value_proj", "output_proj")

    def set_up(self, given: Given) -> None:
        self.levels, self.heads = given.need("n_levels", int), given.need("n_heads", int)
        self.points = given.need("n_points", int)

    def forward(self, query: Tensor, boxes: Tensor, tokens: Tensor, shapes: Sequence[tuple[int, int]]) -> Tensor:
        count = query.shape[1]
        values = self.value_proj(tokens).unflatten(2, (self.heads, -1))
        form = (self.heads, self.levels, self.points)
        offsets = self.sampling_offsets(query).unflatten(2, (*form, 2))
        share = self.attention_weights(query).unflatten(2, (self.heads, -1)).softmax(-1).unflatten(3, form[1:])
        middle, extent = (part[:, :, None, None, None] for part in boxes.split(2, -1))
        # Offsets are in halves of the box, divided among the points; grid_sample counts from -1 to 1.
        places = (middle + offsets / self.points * extent * 0.5) * 2 - 1
        sampled, start = [], 0
        for level, (height, width) in enumerate(shapes):
            part = values[:, start : start + height * width].permute(0, 2, 3, 1).flatten(0, 1)
            grid = places[:, :, :, level].transpose(1, 2).flatten(0, 1)
            sampled.append(functional.grid_sample(part.unflatten(2, (height, width)), grid, align_corners=False))
            start += height * width
        # [N * heads, channels, queries, levels * points]
        weights = share.transpose(1, 2).flatten(0, 1).flatten(2)[:, None]
        mixed = (torch.cat(sampled, 3) * weights).sum(3).unflatten(0, (-1, self.heads))
        return self.output_proj(mixed.flatten(1, 2).transpose(1, 2).reshape(-1, count, query.shape[2]))


class DeformableTransformerDecoderLayer(Block):
    """Queries look at each other, then at the maps, then think."""

    needs = ("self_attn", "cross_attn", "norm1", "norm2", "norm3", "linear1", "linear2", "act")
    may_have = ("dropout1", "dropout2", "dropout3", "dropout4")

    def forward(
        self, queries: Tensor, boxes: Tensor, tokens: Tensor, shapes: Sequence[tuple[int, int]], position: Tensor
    ) -> Tensor:
        placed = queries + position
        queries = self.norm1(queries + attend(self.self_attn, placed, placed, queries))
        queries = self.norm2(queries + self.cross_attn(queries + position, boxes, tokens, shapes))
        return self.norm3(queries + self.linear2(self.act(self.linear1(queries))))


class DeformableTransformerDecoder(Block):
    """The layers of the decoder; the head runs them."""

    needs = ("layers",)

    def set_up(self, given: Given) -> None:
        last = given.get("eval_idx", len(self.layers) - 1, int)
        self.used = last + 1 if 0 <= last < len(self.layers) else len(self.layers)


class QueryHead(Head):
    """RT-DETR: the most promising places of the maps become queries, each of which ends as one box.

    Boxes [N, queries, 4] and scores [N, queries, classes], most promising first; one box per object.
    """

    suppressed = False
    stretched = True
    needs = ("input_proj", "decoder", "query_pos_head", "enc_output", "enc_score_head", "enc_bbox_head")
    needs = (*needs, "dec_score_head", "dec_bbox_head")
    may_have = ("denoising_class_embed", "tgt_embed")

    def set_up(self, given: Given) -> None:
        self.classes, self.queries = given.need("nc", int), given.need("num_queries", int)
        self.strides = [8 << level for level in range(given.need("nl", int))]

    def settle(self) -> None:
        self._modules.pop("denoising_class_embed", None)

    def lay_out(self, width: int, height: int) -> None:
        self.shapes = [(height // stride, width // stride) for stride in self.strides]
        self.count = min(self.queries, sum(rows * columns for rows, columns in self.shapes))
        anchors = []
        for level, (cells, (rows, columns)) in enumerate(zip(self._cells(width, height), self.shapes, strict=True)):
            middles = (cells.double() + 0.5) / torch.tensor([columns, rows])
            anchors.append(torch.cat([middles, torch.full_like(middles, 0.05 * 2**level)], 1))
        places = torch.cat(anchors)[None]
        inside = ((places > _EDGE) & (places < 1 - _EDGE)).all(-1, keepdim=True)
        logits = (places / (1 - places)).log().masked_fill(~inside, math.inf)
        self.register_buffer("anchors", logits.float(), persistent=False)
        self.register_buffer("inside", inside.float(), persistent=False)
        self.register_buffer("pixels", torch.tensor([width, height, width, height]).float(), persistent=False)

    def last_layers(self) -> dict[str, nn.Module]:
        last = self.decoder.used - 1
        names = ["enc_score_head", f"dec_score_head.{last}"]
        for mlp in ("enc_bbox_head", *(f"dec_bbox_head.{place}" for place in range(last + 1))):
            names += [f"{mlp}.layers.{len(self.get_submodule(mlp).layers) - 1}"]
        return {name: self.get_submodule(name) for name in names}

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        projected = [f(x).flatten(2).transpose(1, 2) for f, x in zip(self.input_proj, maps, strict=True)]
        tokens = torch.cat(projected, 1)
        features = self.enc_output(tokens * self.inside)
        best = self.enc_score_head(features).amax(-1).topk(self.count, 1).indices[..., None]
        queries = features.gather(1, best.expand(-1, -1, features.shape[2]))
        anchors = self.anchors.expand(len(tokens), -1, -1).gather(1, best.expand(-1, -1, 4))
        boxes = (self.enc_bbox_head(queries) + anchors).sigmoid()
        if "tgt_embed" in self._modules:
            queries = self.tgt_embed.weight[None].expand(len(tokens), -1, -1)
        for place in range(self.decoder.used):
            position = self.query_pos_head(boxes)
            queries = self.decoder.layers[place](queries, boxes, tokens, self.shapes, position)
            boxes = (self.dec_bbox_head[place](queries) + _logit(boxes)).sigmoid()
        scores = self.dec_score_head[self.decoder.used - 1](queries).sigmoid()
        middles, half = boxes[..., :2], boxes[..., 2:] / 2
        return torch.cat([middles - half, middles + half], -1) * self.pixels, scores


def _logit(fractions: Tensor) -> Tensor:
    return fractions.clamp(min=_SMALL).log() - (1 - fractions).clamp(min=_SMALL).log()


TRANSFORMER_BLOCKS: dict[str, type[Block]] = {
    kind.__name__: kind
    for kind in (
        *(HGStem, LightConv, HGBlock, RepC3, AIFI, MLP, MSDeformAttn, DeformableTransformerDecoderLayer),
        DeformableTransformerDecoder,
    )
}
"""By class name."""
