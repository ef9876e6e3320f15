"""Photos for calibration and for evaluation: which ones, decoded as the device does, never the same in both.

The choice is the same on every machine: it depends on a seed and on paths below the folder that was given. It is spread
over folders (a folder is most often one camera) and over day and infrared, because the ranges of a quantized graph
serve only what they have seen.
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from edge_runtime.bundles.manifest import Calibration
from edge_runtime.errors import CamtrapEdgeError, UnreadablePhotoError
from edge_runtime.intake import decode, scan
from edge_runtime.values import Pixels

SEED = 20240
CALIBRATION = 200
"""Within the 30 to 300 that quantizing profits from."""
EVALUATION = 1000
GREY = 4.0
"""Mean difference of a pixel's brightest and darkest channel, 0..255, below which a photo is grey. Of 75 camera-trap
photos the 15 infrared ones have at most 1.1, the others at least 8.1; a tinted infrared photo counts as one by day."""
_MAX_PIXELS = 100_000_000
_LOOKED_AT = 4
"""So many times the photos wanted are looked at, to spread them over day and infrared."""

T = TypeVar("T")


class SamplesError(CamtrapEdgeError):
    """Photos for calibration or evaluation that cannot be used."""

    exit_code = 2

    def __init__(self, path: Path, problem: str, *, hint: str = "") -> None:
        self.path, self.problem, self.hint = path, problem, hint
        super().__init__(f"{path}: {problem}" + (f" ({hint})" if hint else ""))


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo."""

    file: Path
    name: str
    """Path below the folder that was given, forward slashes."""
    sha256: str
    """Of the file's bytes, 64 hex digits."""
    infrared: bool

    @property
    def folder(self) -> str:
        """The folder that it lies in, below the one that was given; empty for that one itself."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Samples:
    """What an export measures with."""

    calibration: tuple[Sample, ...] = ()
    evaluation: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user ought to know of the choice."""
    seed: int = SEED

    @property
    def record(self) -> Calibration | None:
        """The calibration photos as a manifest names them; None where there are none."""
        if not self.calibration:
            return None
        hashes = "\n".join(sorted(sample.sha256 for sample in self.calibration))
        digest = hashlib.sha256(hashes.encode()).hexdigest()
        return Calibration(count=len(self.calibration), seed=self.seed, sha256=digest)


def gather(
    calibrate: Path | None,
    evaluate: Path | None = None,
    *,
    count: int = CALIBRATION,
    evaluated: int = EVALUATION,
    seed: int = SEED,
    skip_unreadable: bool = False,
) -> Samples:
    """Choose the photos.

    Without `evaluate`, a third of the photos in `calibrate` is held back for evaluation, by the hash of their bytes.

    Args:
        count: calibration photos at most.
        evaluated: evaluation photos at most.
        skip_unreadable: leave out photos that cannot be read, and name them in the notes.

    Raises:
        SamplesError: a folder is missing or empty, or a photo is in both sets; names both files.
        UnreadablePhotoError: a photo cannot be read or decoded.
    """
    skipped: list[str] | None = [] if skip_unreadable else None
    gathered = _gather(calibrate, evaluate, count, evaluated, seed, skipped)
    notes = (f"left out, because they cannot be read: {', '.join(sorted(skipped))}",) if skipped else ()
    return replace(gathered, notes=(*gathered.notes, *notes))


def _gather(
    calibrate: Path | None, evaluate: Path | None, count: int, evaluated: int, seed: int, skipped: list[str] | None
) -> Samples:
    if calibrate is None:
        chosen = choose(evaluate, evaluated, seed=seed, skipped=skipped) if evaluate else ()
        return Samples(evaluation=chosen, seed=seed)
    if evaluate is None:
        together = choose(calibrate, count * 3 // 2, seed=seed, skipped=skipped)
        held = tuple(sample for sample in together if int(sample.sha256[:8], 16) % 3 == 0)
        kept = tuple(sample for sample in together if int(sample.sha256[:8], 16) % 3 != 0)
        if not held or not kept:
            raise SamplesError(
                calibrate, f"{len(together)} photos are too few to hold some back", hint="--evaluate DIR"
            )
        note = (
            f"no evaluation photos were given: {len(held)} of {len(together)} calibration photos were held back for it "
            "by their hash; photos of one burst may stand on both sides"
        )
        return Samples(kept[:count], held[:evaluated], (note,), seed)
    samples = Samples(
        choose(calibrate, count, seed=seed, skipped=skipped),
        choose(evaluate, evaluated, seed=seed, skipped=skipped),
        seed=seed,
    )
    refuse_overlap(samples.calibration, samples.evaluation)
    return samples


def refuse_overlap(calibration: Iterable[Sample], evaluation: Iterable[Sample]) -> None:
    """A graph must not be judged by photos that it was calibrated with.

    Raises:
        SamplesError: two files have the same content; names both.
    """
    known = {sample.sha256: sample.file for sample in calibration}
    for sample in evaluation:
        if sample.sha256 in known:
            raise SamplesError(
                sample.file,
                f"is for evaluation and the same photo as {known[sample.sha256]}, which is for calibration",
                hint="name folders without common photos",
            )


def choose(folder: Path, count: int, *, seed: int = SEED, skipped: list[str] | None = None) -> tuple[Sample, ...]:
    """At most `count` photos of `folder`, spread over its folders and over day and infrared; copies count once.

    Args:
        skipped: where given, it takes the names of photos that cannot be read, and these are left out.

    Raises:
        SamplesError: there is no such folder, or no photo in it.
        UnreadablePhotoError: a photo cannot be read or decoded.
    """
    if not folder.is_dir():
        raise SamplesError(folder, "no such folder", hint="name a folder of camera-trap photos")
    names = [str(stamp.path) for stamp in scan.scan(folder).photos]
    if not names:
        raise SamplesError(folder, "no photos in it", hint=", ".join(sorted(scan.PHOTO_SUFFIXES)))
    names.sort(key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    by_folder = _in_turn(names, key=lambda name: name.rpartition("/")[0])
    looked_at = []
    for name in progress(by_folder[: count * _LOOKED_AT], "choosing photos"):
        try:
            looked_at.append(_sample(folder, name))
        except UnreadablePhotoError:
            if skipped is None:
                raise
            skipped.append(name)
    if not looked_at:
        raise SamplesError(folder, "none of its photos can be read")
    unique = {sample.sha256: sample for sample in reversed(looked_at)}
    once = [sample for sample in looked_at if unique[sample.sha256] is sample]
    return tuple(_in_turn(once, key=lambda sample: (sample.folder, sample.infrared))[:count])


def is_grey(pixels: Pixels) -> bool:
    """Whether a photo is grey, as infrared photos are (`GREY`)."""
    height, width = pixels.shape[:2]
    step = max(1, min(height, width) // 256)
    some = np.ascontiguousarray(pixels[::step, ::step]).astype(np.int16)
    return float((some.max(axis=2) - some.min(axis=2)).mean()) < GREY


def progress(items: Sequence[T], stage: str) -> Iterable[T]:
    """`items` with a progress bar on a terminal, called after the stage."""
    bar: Iterable[T] = tqdm(items, desc=stage, leave=False, disable=not sys.stderr.isatty())
    return bar


def _sample(folder: Path, name: str) -> Sample:
    file = folder / name
    data = _bytes(file)
    image = decode.open_photo(data, file, max_pixels=_MAX_PIXELS)
    # A JPEG is decoded at an eighth of its size or so, which is enough to see whether it is grey, and ten times faster.
    image.draft("RGB", (256, 256))
    try:
        pixels = np.asarray(image.convert("RGB"), np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadablePhotoError(file, f"cannot be decoded ({error})") from error
    return Sample(file, name, hashlib.sha256(data).hexdigest(), is_grey(pixels))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnreadablePhotoError(file, f"cannot be read ({error.strerror})") from error


def _in_turn(items: Sequence[T], *, key: Callable[[T], object]) -> list[T]:
    """One of each kind in turn, kinds and their members in the order in which they come."""
    kinds: dict[object, list[T]] = defaultdict(list)
    for item in items:
        kinds[key(item)].append(item)
    ordered = list(kinds.values())
    return [kind[turn] for turn in range(max(map(len, ordered), default=0)) for kind in ordered if turn < len(kind)]
