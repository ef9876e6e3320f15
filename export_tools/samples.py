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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.bundles.manifest import Calibration, CropRule, Input, Preprocess
from edge_runtime.errors import CamtrapEdgeError, UnreadablePhotoError
from edge_runtime.intake import decode, scan
from edge_runtime.models.crops import cut
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Box, Crop, Detection, Frame, Pixels
from export_tools.accuracy import running

SEED = 20240
CALIBRATION = 200
"""Within the 30 to 300 that quantizing profits from."""
EVALUATION = 1000
GREY = 4.0
"""Mean difference of a pixel's brightest and darkest channel, 0..255, below which a photo is grey. Of 75 camera-trap
photos the 15 infrared ones have at most 1.1, the others at least 8.1; a tinted infrared photo counts as one by day."""
KEPT_BYTES = 512 << 20
"""Decoded pictures that are kept in memory; what does not fit is decoded again when it is asked for."""
_MAX_PIXELS = 100_000_000
_LOOKED_AT = 4
"""So many times the photos wanted are looked at, to spread them over day and infrared."""
_WHOLE = Box(0.0, 0.0, 1.0, 1.0)

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


@dataclass(frozen=True, slots=True)
class Look:
    """What a model is shown of one photo: the whole of it, or one box of it."""

    sample: Sample
    detection: Detection = field(default=Detection("animal", 1.0, _WHOLE))

    def frame(self) -> Frame:
        """The whole photo, decoded as the device does.

        Raises:
            UnreadablePhotoError: it cannot be decoded.
        """
        return running.read(self.sample.file)

    def crop(self, rule: CropRule) -> Crop:
        """A copy of what `rule` cuts out for the box; the whole photo for a box around all of it.

        Raises:
            UnreadablePhotoError: the photo cannot be decoded.
        """
        frame = self.frame()
        if self.detection.box == _WHOLE:
            return Crop(self.detection, frame.pixels)
        crop = cut(frame, self.detection, rule)
        return Crop(crop.detection, crop.pixels.copy())


class Kept(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are first asked for and kept as far as memory allows."""

    def __init__(
        self, makers: Sequence[Callable[[], T]], size: Callable[[T], int], *, budget: int = KEPT_BYTES
    ) -> None:
        self._makers, self._size, self._left = makers, size, budget
        self._made: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        index = range(len(self))[place]
        if index in self._made:
            return self._made[index]
        item = self._makers[index]()
        if self._size(item) <= self._left:
            self._left -= self._size(item)
            self._made[index] = item
        return item


def frames(looks: Sequence[Look]) -> Kept[Frame]:
    """The photos, decoded."""
    return Kept([look.frame for look in looks], lambda frame: frame.pixels.nbytes)


def crops(looks: Sequence[Look], rule: CropRule) -> Kept[Crop]:
    """What a classifier or embedder is shown."""
    return Kept([lambda look=look: look.crop(rule) for look in looks], lambda crop: crop.pixels.nbytes)  # type: ignore[misc]


def inputs(pictures: Sequence[Frame] | Sequence[Crop], spec: Input, rule: Preprocess) -> Kept[NDArray[np.float32]]:
    """Input tensors [1, ...] of pictures, pre-processed as the device does: `FloatGraph.calibration`."""

    def made(place: int) -> NDArray[np.float32]:
        return prepare(pictures[place].pixels, spec, rule)[0]

    places = range(len(pictures))
    return Kept([lambda place=place: made(place) for place in places], lambda tensor: tensor.nbytes)  # type: ignore[misc]


def animals(
    samples: Sequence[Sample], detect: Callable[[Frame], Sequence[Detection]], *, confident: float, at_most: int
) -> list[Look]:
    """The boxes of animals that a detector is sure of: crops out of whole photos.

    Args:
        detect: `Detector.detect`.
        confident: least confidence.
        at_most: looks at most.

    Raises:
        UnreadablePhotoError, EngineError: a photo cannot be decoded, or the inference failed.
    """
    looks: list[Look] = []
    for sample in progress(samples, "finding animals"):
        found = detect(running.read(sample.file))
        looks += [Look(sample, one) for one in found if one.category == "animal" and one.confidence >= confident]
        if len(looks) >= at_most:
            break
    return looks[:at_most]


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


def small(pixels: Pixels, longest: int) -> Pixels:
    """The picture with its longer side at most `longest` pixels, by area averaging."""
    height, width = pixels.shape[:2]
    ratio = longest / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
