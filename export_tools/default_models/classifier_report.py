"""How good a classifier's bundle is on crops of known animals: top-1, labels, rolled-up answers, and what is wrong.

It runs with what the device has: the bundle and ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.values import Crop, Detection, Species
from export_tools.default_models import answers, known_crops
from export_tools.default_models.answers import Answered, Summed, WrongAnswer
from export_tools.default_models.known_crops import KnownCrop
from export_tools.default_models.proof import Share

LISTED = 20
"""Wrong answers that the table shows of one list; the report holds them all."""
SIDES = (96, 224)
"""Pixels of a box' shorter side between which the sizes are told apart: 224 is what the network sees."""


@dataclass(frozen=True)
class Stratum:
    """Some of a list's crops."""

    title: str
    found: Answered


@dataclass(frozen=True)
class ListReport:
    """What a classifier answered on one list of crops."""

    title: str
    found: Answered
    strata: tuple[Stratum, ...]
    wrong: tuple[WrongAnswer, ...]
    """Every wrong answer that was sure enough to be given, surest first."""


@dataclass(frozen=True)
class ClassifierReport:
    """A classifier on every list; `dataclasses.asdict` makes it JSON."""

    bundle: str
    species: float
    rollup: float
    """The bundle's thresholds."""
    lists: tuple[ListReport, ...]


def report(bundle: Bundle, assets: Path, training: Path | None = None) -> ClassifierReport:
    """Classify every labelled crop of the evaluation folder, and the held-back crops of the training folder.

    Args:
        bundle: of a classifier whose labels are those of `imagenet_animals.csv`.
        assets: holds `truth/manifest.json` and the photos.
        training: holds `manifest.jsonl` and the photos; None leaves its crops out.

    Raises:
        BundleError, EngineError: the bundle cannot be used.
        PhotoError: a photo cannot be read.
        OSError: a folder lacks its list.
    """
    classifier = Classifier(bundle, threads=2)
    lists = [_list(classifier, "camera-trap photos", known_crops.evaluated(assets))]
    if training is not None:
        held_back = known_crops.split(known_crops.listed(training))[1]
        lists.append(_list(classifier, "held back", held_back))
        lists.append(_list(classifier, "held back, infrared look", held_back, infrared_look=True))
    thresholds = bundle.manifest.thresholds
    return ClassifierReport(bundle.title, thresholds.species, thresholds.rollup, tuple(lists))


def of_list(
    title: str, taxonomy: Taxonomy, crops: Sequence[KnownCrop], summed: Summed, given: Sequence[Species | None]
) -> ListReport:
    """Judge what was answered on one list; `summed` and `given` have one row per crop (`answers`)."""
    best = answers.top1(taxonomy, summed)

    def of(wanted: Callable[[KnownCrop], bool]) -> Answered:
        places = [place for place, crop in enumerate(crops) if wanted(crop)]
        chosen = [crops[place] for place in places]
        return answers.judge(taxonomy, chosen, [given[place] for place in places], [best[place] for place in places])

    found = of(lambda crop: True)
    strata = [Stratum(name, of(wanted)) for name, wanted in _STRATA]
    return ListReport(
        title=title,
        found=found,
        strata=tuple(one for one in strata if 0 < one.found.crops < found.crops),
        wrong=tuple(answers.wrong(taxonomy, crops, given)),
    )


def table(report: ClassifierReport) -> str:
    """The report as a person reads it in a terminal."""
    lines = [f"{report.bundle}: a label from {report.species:.2f} on, a taxon from {report.rollup:.2f} on"]
    for one in report.lists:
        found = one.found
        lines += [
            "",
            f"{one.title}: {found.crops} crops of known animals, {found.known} of them in its label table",
            f"  most probable label right  {text(found.top1)}",
            f"  given a label              {text(found.named)}",
            f"    of these right           {text(found.right)}",
            f"  not in the table, but labelled  {text(found.lacking_named)}",
            f"  given a coarser taxon      {text(found.rolled)}",
            f"    of these right           {text(found.rolled_right)}",
            *(f"      {rank:<8}               {text(share)}" for rank, share in found.by_rank.items()),
            f"  given any answer           {text(found.answered)}",
            f"    of these right           {text(found.answered_right)}",
            *(f"    {stratum.title:<24} {text(stratum.found.answered_right)}" for stratum in one.strata),
            f"  sure and wrong: {len(one.wrong)}",
            *(
                f"    {wrong.confidence:.2f} {wrong.said}, is: {wrong.truth}  {wrong.crop}"
                for wrong in one.wrong[:LISTED]
            ),
            *([f"    and {len(one.wrong) - LISTED} less sure ones"] if len(one.wrong) > LISTED else []),
        ]
    return "\n".join(lines)


def text(share: Share) -> str:
    """`11 of 13: 0.846 (0.578-0.957)`, the interval of 95 % behind it."""
    if not share.of:
        return "none"
    return f"{share.count} of {share.of}: {share.share:.3f} ({share.low:.3f}-{share.high:.3f})"


def _list(classifier: Classifier, title: str, crops: Sequence[KnownCrop], *, infrared_look: bool = False) -> ListReport:
    rows = []
    for place, crop in enumerate(tqdm(crops, desc=title, unit="crop", disable=None)):
        pixels = crop.pixels(classifier.bundle.manifest.crop)
        shown = known_crops.infrared_look(pixels, place) if infrared_look else pixels
        rows.append(classifier.probabilities(Crop(Detection("animal", 1.0, crop.box), shown)))
    taxonomy = classifier.taxonomy
    summed = np.array(rows, np.float64).reshape(len(crops), len(taxonomy.labels) + 1)
    given = answers.answers(taxonomy, summed, classifier.bundle.manifest.thresholds)
    return of_list(title, taxonomy, crops, summed, given)


def _side_is(low: float, high: float) -> Callable[[KnownCrop], bool]:
    return lambda crop: low <= crop.side < high


_STRATA: tuple[tuple[str, Callable[[KnownCrop], bool]], ...] = (
    ("day", lambda crop: not crop.infrared),
    ("infrared", lambda crop: crop.infrared),
    (f"side under {SIDES[0]} px", _side_is(0, SIDES[0])),
    (f"side {SIDES[0]} to {SIDES[1] - 1} px", _side_is(*SIDES)),
    (f"side {SIDES[1]} px and more", _side_is(SIDES[1], np.inf)),
)
