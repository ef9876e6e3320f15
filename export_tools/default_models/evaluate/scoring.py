"""From what detectors found to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import CATEGORIES
from export_tools.accuracy import intervals
from export_tools.accuracy.average_precision import (
    AtThreshold,
    Found,
    Matches,
    Ranking,
    area_under,
    at_threshold,
    best_threshold,
    match_all,
    ranking,
)
from export_tools.accuracy.intervals import Estimate
from export_tools.accuracy.photos import EvaluationPhotos, LabelledPhoto
from export_tools.accuracy.strata import EVERYTHING, PERSONS, Stratum, strata
from export_tools.default_models.evaluate.figures import AGAINST, DEFAULT, Counts, OperatingFigures, StratumFigures

BY_BUNDLE, BEST = "by the bundle", "best F1 here"


@dataclass(frozen=True)
class Answers:
    """Everything that one detector found, photo by photo."""

    labelled: Sequence[Found]
    empty: Sequence[Found]
    people: Sequence[Found]
    threshold: float
    """The bundle's own: least confidence that makes an event."""


def score_strata(photos: Sequence[LabelledPhoto], answers: Mapping[str, Answers]) -> tuple[StratumFigures, ...]:
    """Average precision of each detector on each stratum of the labelled photos, with intervals."""
    truths = [photo.truth for photo in photos]
    matches = {
        overlap: {name: match_all(one.labelled, truths, overlap=overlap) for name, one in answers.items()}
        for overlap in (0.5, 0.4)
    }
    return tuple(_stratum(photos, stratum, matches[0.5], matches[0.4]) for stratum in strata(photos))


def _stratum(
    photos: Sequence[LabelledPhoto],
    stratum: Stratum,
    half: Mapping[str, Sequence[Matches]],
    looser: Mapping[str, Sequence[Matches]],
) -> StratumFigures:
    drawn = intervals.draws([photo.sequence for photo in photos if stratum.includes(photo)])
    at_half = {name: _drawn(restricted(photos, stratum, matches), drawn) for name, matches in half.items()}
    at_looser = {name: _drawn(restricted(photos, stratum, matches), drawn) for name, matches in looser.items()}
    return StratumFigures(
        stratum=stratum.name,
        photos=drawn.shape[1],
        boxes=int(restricted(photos, stratum, half[DEFAULT]).truths.sum()),
        ap50={name: intervals.estimate(*values) for name, values in at_half.items()},
        ap40={name: intervals.estimate(*values) for name, values in at_looser.items()},
        difference=intervals.difference(
            at_half[DEFAULT][0], at_half[AGAINST][0], at_half[DEFAULT][1], at_half[AGAINST][1]
        ),
    )


def restricted(photos: Sequence[LabelledPhoto], stratum: Stratum, matches: Sequence[Matches]) -> Ranking:
    """The ranking of one stratum."""
    chosen = [match for photo, match in zip(photos, matches, strict=True) if stratum.includes(photo)]
    return ranking(chosen, classes=stratum.classes, area=stratum.area)


def _drawn(ranked: Ranking, drawn: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    return area_under(ranked), intervals.values(lambda weights: area_under(ranked, weights=weights), drawn)


def score_thresholds(
    photos: EvaluationPhotos, people: Sequence[LabelledPhoto], answers: Mapping[str, Answers]
) -> tuple[OperatingFigures, ...]:
    """What each detector gives at its bundle's threshold and at the one that suits these photos best."""
    figures = []
    for name, one in answers.items():
        matches = match_all(one.labelled, [photo.truth for photo in photos.labelled])
        everything = restricted(photos.labelled, EVERYTHING, matches)
        persons = restricted(photos.labelled, PERSONS, matches)
        empty = ranking(match_all(one.empty, [photo.truth for photo in photos.empty]))
        held_back = ranking(match_all(one.people, [photo.truth for photo in people]), classes=PERSONS.classes)
        for threshold, chosen in ((one.threshold, BY_BUNDLE), (best_threshold(everything).threshold, BEST)):
            at = at_threshold(everything, threshold)
            of_persons, of_people = at_threshold(persons, threshold), at_threshold(held_back, threshold)
            figures.append(
                OperatingFigures(
                    detector=name,
                    threshold=threshold,
                    chosen=chosen,
                    truths=at.truths,
                    right=at.right,
                    false=at.false,
                    recall=_recall(everything, at, photos.labelled),
                    precision=at.precision,
                    empty_photos=len(photos.empty),
                    empty_false=at_threshold(empty, threshold).false,
                    persons=of_persons.truths,
                    persons_right=of_persons.right,
                    people=of_people.truths,
                    people_right=of_people.right,
                    people_false=of_people.false,
                )
            )
    return tuple(figures)


def _recall(ranked: Ranking, at: AtThreshold, photos: Sequence[LabelledPhoto]) -> Estimate:
    kept = ranked.right & (ranked.scores >= at.threshold)
    right = np.bincount(ranked.photo[kept], minlength=len(photos))

    def recall(weights: NDArray[np.float64]) -> float:
        truths = float((weights * ranked.truths).sum())
        return float((weights * right).sum()) / truths if truths else float("nan")

    drawn = intervals.draws([photo.sequence for photo in photos])
    return intervals.estimate(at.recall, intervals.values(recall, drawn))


def count(photos: EvaluationPhotos, people: Sequence[LabelledPhoto]) -> Counts:
    """What the figures stand on."""
    classes = Counter(CATEGORIES[index] for photo in photos.labelled for index in photo.truth.classes)
    return Counts(
        labelled=len(photos.labelled),
        boxes=sum(classes.values()),
        by_class={name: classes[name] for name in CATEGORIES},
        by_source=dict(Counter(photo.box_source for photo in photos.labelled)),
        sequences=len({photo.sequence for photo in photos.labelled}),
        empty=len(photos.empty),
        unlabelled=photos.unlabelled,
        unreadable=photos.unreadable,
        doubtful=tuple(photo.file.name for photo in photos.labelled if photo.doubtful),
        held_back=len(people),
        held_back_persons=sum(int(np.isin(photo.truth.classes, PERSONS.classes).sum()) for photo in people),
    )
