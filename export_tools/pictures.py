"""The photos and crops of one export: what ranges are measured with, and what the proof looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Calibration
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.models.detector import Detector
from edge_runtime.models.preprocess import prepare
from export_tools import looks as look_at
from export_tools import samples as chosen
from export_tools.looks import Look
from export_tools.model import Model
from export_tools.proof import proving, truths
from export_tools.proof.evidence import Judge
from export_tools.proof.truths import Truths
from export_tools.samples import Sample

CROPS = 1000
"""Crops of evaluation photos at most."""


@dataclass(frozen=True)
class Folders:
    """Where the pictures are, as the user named them."""

    calibrate: Path | None = None
    evaluate: Path | None = None
    truth: Path | None = None
    """What is on the evaluation photos (`truths.read`)."""
    detector: Path | None = None
    """A detector bundle that cuts animals out of whole photos, for classifiers and embedders. Without it, and without
    boxes in `truth`, each picture is one crop."""
    golden: Path | None = None
    """Pictures that may be published with the bundle, in place of evaluation photos."""
    count: int = chosen.CALIBRATION
    """Calibration pictures at most."""
    skip_unreadable: bool = False
    """Leave out photos that cannot be read, and say which; else the first of them is an error."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Everything that is looked at, decoded when it is asked for."""

    calibration: Sequence[NDArray[np.float32]]
    """Inputs [1, 3, H, W]."""
    evaluation: Sequence[Sample]
    truths: Truths | None
    looks: Sequence[Look]
    """What the model is shown of the evaluation photos."""
    golden: Sequence[Look]
    """What golden samples may be made of."""
    record: Calibration | None
    notes: tuple[str, ...]

    def judge(self, reference: Bundle) -> Judge | None:
        """What compares variants with `reference`; None where there is nothing to compare on.

        Raises:
            SamplesError, EngineError, BundleError: no photo of the truth is there, or the reference cannot be run.
        """
        if not self.evaluation:
            return None
        boxes_known = self.truths is not None or reference.manifest.task == "detector"
        return proving.judge_for(reference, self.evaluation, self.truths, None if boxes_known else self.looks)

    def tensors(self, model: Model, count: int) -> list[NDArray[np.float32]]:
        """At most `count` inputs: of evaluation pictures, else of calibration, else of noise where there is neither."""
        spec, rule = model.description.input, model.description.preprocess
        if self.looks:
            step = max(1, len(self.looks) // count)
            some = list(self.looks[::step][:count])
            whole = model.description.task == "detector"
            shown = look_at.frames(some) if whole else look_at.crops(some, model.description.crop)
            return [prepare(picture.pixels, spec, rule)[0] for picture in shown]
        if self.calibration:
            return [self.calibration[place] for place in range(min(count, len(self.calibration)))]
        noise = np.random.default_rng(0).integers(0, 256, (count, spec.height, spec.width, 3), np.uint8)
        return [prepare(one, spec, rule)[0] for one in noise]


def gather(model: Model, folders: Folders) -> Pictures:
    """Choose the pictures of an export.

    Raises:
        SamplesError, TruthError, UnreadablePhotoError, BundleError: names the file, and what to do.
    """
    if folders.truth and not folders.evaluate:
        raise CamtrapEdgeError(f"{folders.truth}: says what is on evaluation photos; name them with --evaluate DIR")
    gathered = chosen.gather(
        folders.calibrate, folders.evaluate, count=folders.count, skip_unreadable=folders.skip_unreadable
    )
    known = truths.read(folders.truth, folders.evaluate) if folders.truth and folders.evaluate else None
    description = model.description
    spec, rule = description.input, description.preprocess
    if description.task == "detector":
        learnt = look_at.frames(_whole(gathered.calibration, folders.count))
        calibration, looks = look_at.inputs(learnt, spec, rule), _whole(gathered.evaluation, len(gathered.evaluation))
    else:
        look = _animals(folders.detector) if folders.detector else _whole
        crops = look_at.crops(look(gathered.calibration, folders.count), description.crop)
        calibration = look_at.inputs(crops, spec, rule)
        if known is None and not folders.detector:
            known = truths.by_folder(gathered.evaluation, [label.name for label in model.labels])
        looks = known.looks(gathered.evaluation)[0] if known else look(gathered.evaluation, CROPS)
    golden = _whole(chosen.choose(folders.golden, CROPS), CROPS) if folders.golden else looks
    return Pictures(calibration, gathered.evaluation, known, looks, golden, gathered.record, gathered.notes)


def _whole(samples: Sequence[Sample], at_most: int) -> list[Look]:
    return [Look(sample) for sample in samples[:at_most]]


def _animals(folder: Path) -> Callable[[Sequence[Sample], int], list[Look]]:
    bundle = bundles.load(folder, task="detector")
    detect, confident = Detector(bundle, threads=2).detect, bundle.manifest.thresholds.confident
    return lambda samples, at_most: look_at.animals(samples, detect, confident=confident, at_most=at_most)
