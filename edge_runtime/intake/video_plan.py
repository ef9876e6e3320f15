"""Which frames of a video to look at, and which of its packets must be decoded for them. Nothing is read here.

Packets come in the order in which they are decoded. Where a codec looks ahead (B-frames), their frames are shown in
another one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.settings import Videos

SLACK_S = 1e-3
"""Containers round times to a thousandth of a second."""
_RATE_IS_RIGHT = 0.01
_UNKNOWN_RATE = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to decode for the wanted frames."""

    numbers: Mapping[int, int]
    """Of each wanted frame, by its time in ticks: its number, from 0 in the order in which frames are shown."""
    needed: NDArray[np.bool_]
    """[packets]; whether it must be decoded."""
    begins: NDArray[np.bool_]
    """[packets]; decoding can begin here, where its frame stands alone indeed."""
    last: NDArray[np.bool_]
    """[packets]; nothing after it is needed before the next packet at which decoding can begin."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a video's frames are shown."""

    first: int
    """Ticks of the first one."""
    tick: float
    """Seconds."""
    rate: float
    """Frames a second; above 0."""
    duration_s: float
    """From the first frame's moment to the end of the last one's."""


def timing(times: Sequence[int | None], *, tick: float, stated_rate: float) -> Timing:
    """Of the frames that are there, whatever the file's header says; its rate counts where they confirm it.

    Args:
        times: of each packet when its frame is shown, ticks; None where it does not say.
        stated_rate: frames a second by the header; 0 where it does not say.
    """
    known = [time for time in times if time is not None]
    first = min(known, default=0)
    span_s = (max(known, default=0) - first) * tick
    if len(known) < 2 or span_s <= 0:
        rate = stated_rate if stated_rate > 0 and math.isfinite(stated_rate) else _UNKNOWN_RATE
        return Timing(first, tick, rate, len(times) / rate)
    rate = (len(known) - 1) / span_s
    if abs(stated_rate / rate - 1) <= _RATE_IS_RIGHT:
        rate = stated_rate
    return Timing(first, tick, rate, span_s + 1 / rate)


def moments(duration_s: float, sampling: Videos) -> list[float]:
    """When to look, seconds from the first frame: at every `every_seconds`, or fewer times evenly spread."""
    step_s = max(sampling.every_seconds, duration_s / sampling.max_frames)
    return [index * step_s for index in range(min(sampling.max_frames, max(1, math.ceil(duration_s / step_s - 1e-9))))]


def plan(times: Sequence[int | None], keys: Sequence[bool], timing: Timing, sampling: Videos) -> Plan | None:
    """What to decode; None where the packets do not tell when each frame is shown, or never stand alone.

    A frame is wanted where it is the first at or after a moment. Decoding can begin at a key frame before which
    everything is shown that comes before it, and after it everything that comes after it. Frames before the first such
    one cannot be decoded and have no number.

    Args:
        times: as `timing`.
        keys: of each packet whether its frame stands alone.
    """
    if None in times or len(set(times)) < len(times):
        return None
    shown = np.array(times, np.int64)
    earlier = np.maximum.accumulate(np.concatenate(([shown.min() - 1], shown[:-1])))
    later = np.minimum.accumulate(shown[::-1])[::-1]
    begins = np.array(keys, bool) & (shown > earlier) & (shown <= later)
    if not begins.any():
        return None
    begin = int(begins.argmax())
    order = begin + np.argsort(shown[begin:])
    seconds = (shown[order] - shown[order[0]]) * timing.tick
    chosen = np.searchsorted(seconds, np.array(moments(timing.duration_s, sampling)) - SLACK_S)
    chosen = np.unique(chosen[chosen < len(order)])
    run = np.cumsum(begins) - 1
    ends = np.full(int(run[-1]) + 1, -1)
    np.maximum.at(ends, run[order[chosen]], order[chosen])
    needed = (run >= 0) & (np.arange(len(shown)) <= ends[run])
    last = np.zeros(len(shown), bool)
    last[ends[ends >= 0]] = True
    return Plan({int(shown[order[number]]): int(number) for number in chosen}, needed, begins, last)
