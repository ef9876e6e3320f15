"""Output heads: how a graph's raw tensors become candidates or scores. One file each, one line here."""

from __future__ import annotations

from edge_runtime.models.heads import decoded, scores, yolox
from edge_runtime.models.heads.protocol import BoxHead, ScoreHead

BOX_HEADS: dict[str, BoxHead] = {
    "decoded": decoded.decode,
    "yolox": yolox.decode,
}

SCORE_HEADS: dict[str, ScoreHead] = {
    "softmax": scores.softmax,
    "sigmoid": scores.sigmoid,
}
