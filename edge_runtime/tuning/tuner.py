"""Tuning one bundle on this machine with one card: draw photos, measure, choose, keep."""

from __future__ import annotations

import os
import statistics
from datetime import datetime, timezone
from pathlib import Path

from edge_runtime import engines, settings
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import ConfigError
from edge_runtime.settings import Decode
from edge_runtime.tuning import machine, measuring, plan, sample, stored
from edge_runtime.tuning.measuring import Measured, Progress
from edge_runtime.tuning.stored import Choice, Row, Tuned

BUSY = 0.3
"""Load of each core before the start from which on the figures are doubted."""


def tune(
    bundle: Bundle,
    folder: Path,
    file: Path,
    *,
    cpus: int,
    photos: int,
    seconds: float,
    max_pixels: int,
    decode: Decode,
    progress: Progress,
    seed: int = sample.SEED,
) -> Choice:
    """Measure every way to run `bundle` on photos of the card in `folder`, and keep the best in `file`.

    Args:
        cpus: CPU threads that inference may keep busy.
        photos: at most so many of the card's.
        seconds: about how long it may take; never less than one try of each candidate that fits.

    Raises:
        CamtrapEdgeError: the card has no readable photo, or `file` cannot be written.
        BundleError, EngineError: nothing here runs the bundle, or nothing that agrees with its reference.
    """
    here = engines.available()
    plan.runnable(bundle, here)
    busy = os.getloadavg()[0] / settings.cores()
    drawn = sample.draw(folder, photos, max_pixels=max_pixels, seed=seed)
    found = measuring.measure(
        bundle,
        drawn,
        here,
        cpus=cpus,
        max_pixels=max_pixels,
        decode=decode,
        seconds=seconds,
        progress=progress,
        seed=seed,
    )
    best = found.chosen.setup
    made = Choice(
        task="detector",
        bundle=bundle.id,
        title=bundle.title,
        cpus=cpus,
        variant=best.variant,
        engine=best.engine,
        threads=best.threads,
        streams=best.streams,
        reference=found.reference,
        photos=found.photos,
        card=str(folder).encode(errors="backslashreplace").decode(),
        card_photos=drawn.of,
        decode=decode,
        seed=seed,
        made_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        note="; ".join(filter(None, (found.note, _busy_note(busy)))),
        machine=machine.this_machine(),
        rows=tuple(_row(one) for one in found.measured),
    )
    try:
        earlier = stored.read(file)
    except ConfigError:
        # Whatever it was, it was of no use.
        earlier = Tuned(tuned=1)
    stored.keep(file, made, earlier)
    return made


def _busy_note(busy: float) -> str:
    if busy < BUSY:
        return ""
    return f"other programs kept {min(busy, 1):.0%} of the cores busy: tune again when the machine is idle"


def _row(one: Measured) -> Row:
    agreed = one.agreement
    return Row(
        variant=one.setup.variant,
        engine=one.setup.engine,
        threads=one.setup.threads,
        streams=one.setup.streams,
        photos_per_s=_rounded(one.photos_per_s),
        rounds=tuple(round(each, 3) for each in one.rounds),
        load_s=_rounded(statistics.median(one.loads)) if one.loads else None,
        peak_mb=_rounded(one.peak_mb),
        boxes=agreed.boxes if agreed else 0,
        missed=agreed.missed if agreed else 0,
        extra=agreed.extra if agreed else 0,
        by_a_hair=agreed.by_a_hair if agreed else 0,
        problem=one.problem,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
