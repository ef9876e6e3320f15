"""How this device reads and groups photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_runtime.settings import Camera, Decode, EvidenceRule, Prefilter, Repeats, Videos
from edge_runtime.values import Detection

_VIDEOS = Videos()


@dataclass(frozen=True)
class Rules:
    """How photos are read and grouped."""

    zone: ZoneInfo
    """Of the cameras' clocks."""
    cameras: Sequence[Camera]
    max_pixels: int
    gap_s: int
    confident: float
    """Least confidence of a detection that counts."""
    decode: Decode = "reduced"
    videos: Videos = _VIDEOS
    """Which frames of a video are looked at."""
    prefilter: Prefilter = "off"
    rule: EvidenceRule = "mean-log"
    """How the frames of one animal decide together."""
    repeats: Repeats | None = None
    """None: nothing is held back."""

    def empty(self, detections: Sequence[Detection]) -> bool:
        """Whether none of a photo's detections counts."""
        return not any(found.confidence >= self.confident for found in detections)
