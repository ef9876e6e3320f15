"""What the frames of one animal say together of its species. Pure functions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_runtime.settings import EvidenceRule
from edge_runtime.values import LEAST_SCORE, NO_ANIMAL, Detection, Scores, Species

_LEAST_REST = 1e-4
"""Scores have four digits: less than this cannot be told from nothing."""


@dataclass(frozen=True)
class Naming:
    """How a classifier's probabilities become names."""

    answer: Callable[[Mapping[str, float]], Species | None]
    """What probabilities by name (as in `Scores`) say, None where they are sure of nothing."""
    coarser: Mapping[str, Sequence[str]]
    """Of each name the groups that hold it (`Taxonomy.coarser`)."""
    groups: frozenset[str]
    """The names that stand for several labels."""
    exclusive: bool
    """One label holds, and the probabilities sum to 1 (softmax); otherwise each is true or not by itself (sigmoid)."""
    sure: float
    """Least confidence of an answer at which nobody needs to look."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the frames of one animal say together."""

    species: Species | None
    rule: EvidenceRule
    support: float
    """Share of the frames that say the same alone, or something that lies in it; 0 without frames."""
    frames: int
    """Those that the classifier was shown."""


def weigh(sightings: Sequence[Detection], naming: Naming | None, rule: EvidenceRule) -> Verdict:
    """What the detections of one animal say together; one alone keeps its own answer.

    Args:
        naming: of the classifier that named them; without one they vote.
    """
    frames = [found for found in sightings if found.scores]
    if not frames:
        return Verdict(None, rule, 0.0, 0)
    if len(frames) == 1:
        species = frames[0].species
    elif rule == "majority" or naming is None:
        rule, species = "majority", majority(frames)
    else:
        pool = mean_log if naming.exclusive else mean_log_odds
        species = naming.answer(pool([found.scores for found in frames]))
    coarser = naming.coarser if naming else {}
    return Verdict(species, rule, sum(_says(found, species, coarser) for found in frames) / len(frames), len(frames))


def mean_log(frames: Sequence[Scores]) -> dict[str, float]:
    """Probabilities of labels of which one holds: the exponential of their mean logarithm, over the sum of all.

    What a frame does not name has `LEAST_SCORE` in it, so that no frame can veto. What is left of a frame's 1 (labels
    that were too improbable to be kept) is in the sum as if it were one label more.
    """
    rest = math.fsum(math.log(max(1 - math.fsum(score for _, score in frame), _LEAST_REST)) for frame in frames)
    powers = {name: math.exp(mean) for name, mean in _means(frames, math.log).items()}
    total = math.fsum([*powers.values(), math.exp(rest / len(frames))])
    return {name: power / total for name, power in powers.items()}


def mean_log_odds(frames: Sequence[Scores]) -> dict[str, float]:
    """Probabilities of labels each of which holds or not: p from the means of log p and of log (1 - p).

    They are weighed against each other label by label; over labels nothing is made to sum to 1. What a frame does not
    name has `LEAST_SCORE` in it, and nothing is surer than 1 - `LEAST_SCORE`.
    """
    return {name: 1 / (1 + math.exp(-mean)) for name, mean in _means(frames, _log_odds).items()}


def majority(frames: Sequence[Detection]) -> Species | None:
    """The answer that most frames give, with their mean confidence; of two as frequent ones the surer.

    A frame that shows no animal rather votes for that, one that is sure of nothing does not vote.
    """
    votes: defaultdict[str, list[float]] = defaultdict(list)
    for found in frames:
        name, score = found.scores[0]
        if found.species:
            votes[found.species.name].append(found.species.confidence)
        elif name == NO_ANIMAL:
            votes[NO_ANIMAL].append(score)
    if not votes:
        return None
    mean = {name: math.fsum(given) / len(given) for name, given in votes.items()}
    name = max(sorted(votes), key=lambda each: (len(votes[each]), mean[each]))
    return None if name == NO_ANIMAL else Species(name, mean[name])


def _means(frames: Sequence[Scores], measure: Callable[[float], float]) -> dict[str, float]:
    """Of each label that any frame names the mean of `measure` over all frames."""
    given: defaultdict[str, list[float]] = defaultdict(list)
    for frame in frames:
        for name, score in frame:
            given[name].append(measure(max(score, LEAST_SCORE)))
    least = measure(LEAST_SCORE)
    return {
        name: math.fsum([*values, least * (len(frames) - len(values))]) / len(frames) for name, values in given.items()
    }


def _log_odds(score: float) -> float:
    score = min(score, 1 - LEAST_SCORE)
    return math.log(score) - math.log1p(-score)


def _says(found: Detection, species: Species | None, coarser: Mapping[str, Sequence[str]]) -> bool:
    if found.species is None or species is None:
        return found.species is species
    own = found.species.name
    return own == species.name or species.name in coarser.get(own, ())
