"""One sentence about what to do, by the stage that takes most of the time."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.laps import Stage


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the advice depends on."""

    tuned: bool
    """A measured choice is in use."""
    precision: str
    """Of the variant in use: fp32, fp16, int8."""
    int8: str
    """An INT8 variant of the bundle that could run here; empty where there is none."""
    full_decode: bool
    """Photos are decoded at full size."""


def advise(stage: Stage, now: Circumstances, *, card_mb_s: float) -> str:
    """What to do about `stage`, which dominates.

    Args:
        card_mb_s: how fast photos were read, megabytes a second.
    """
    if stage == "infer":
        return f"inference dominates: {_faster_inference(now)}"
    if stage in ("decode", "prepare"):
        what = "decoding" if stage == "decode" else "scaling to the model's input"
        if now.full_decode:
            return f"{what} dominates: `decode: reduced` takes only as many pixels as the model sees"
        return f"{what} dominates: set the cameras to smaller photos, the model does not see the difference"
    if stage in ("h2d", "d2h"):
        way = "to" if stage == "h2d" else "from"
        return f"copying {way} the GPU dominates: a smaller input, or a model with fewer outputs, copies less"
    return {
        "read": f"the card is read slowly, {card_mb_s:.0f} MB/s: try another reader or a faster card",
        "hash": "proving files whole and hashing them dominates: the processor is slow at SHA-256",
        "boxes": "the model gives very many boxes: raise 'keep' in its bundle's thresholds",
        "classify": "naming species dominates: `classifier: none` does without names",
        "journal": "the journal's disk is slow to commit: put `data` on a better disk than the card of the system",
    }[stage]


def _faster_inference(now: Circumstances) -> str:
    if now.precision != "int8":
        if now.int8:
            return f"the bundle has an INT8 variant: run edge-runtime tune, or set `engine: {now.int8}`"
        return "quantize the bundle (edge-export quantize), or take a smaller model"
    if not now.tuned:
        return "run edge-runtime tune; after that only a smaller model is faster"
    return "variant and threads are tuned already; a smaller model is faster"
