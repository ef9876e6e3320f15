"""Which consecutive photos are one event, and what the event showed. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from edge_runtime.values import Count, Detection

NO_TAXA: Mapping[str, Sequence[str]] = MappingProxyType({})
"""For a classifier without a taxonomy, or for none."""


def joins(start_s: int | None, end_s: int | None, time_s: int | None, *, gap_s: int) -> bool:
    """Whether a photo taken at `time_s` belongs to an event that lasts from `start_s` to `end_s`.

    It does where it lies at most `gap_s` before or after. A photo without a credible time joins nothing: there is
    no evidence that it belongs anywhere.
    """
    if start_s is None or end_s is None or time_s is None:
        return False
    return start_s - gap_s <= time_s <= end_s + gap_s


def is_over(end_s: int | None, time_s: int | None, *, gap_s: int) -> bool:
    """Whether an event that ends at `end_s` is over once its camera took a photo at `time_s`."""
    return end_s is None or (time_s is not None and time_s > end_s + gap_s)


def count(
    photos: Sequence[Sequence[Detection]], *, confident: float, coarser: Mapping[str, Sequence[str]] = NO_TAXA
) -> tuple[Count, ...]:
    """How many of each label an event showed: the largest number seen at once in one photo.

    Args:
        photos: the detections of each photo of the event.
        confident: weaker detections do not count, nor do those that are held.
        coarser: of each name that a classifier can say the taxa that hold it (`Taxonomy.coarser`).

    A coarser name counts only as far as more of its animals were seen at once than finer names account for: a lynx
    that one of three frames could only call `cat family`, or only `animal`, is still one lynx. A label's confidence
    is its best in the event: the classifier's for a species or a taxon, else the detector's. Each known individual is
    counted by itself, even where two of them were never seen at once.
    """
    most: Counter[str] = Counter()
    with_finer: Counter[str] = Counter()
    best: dict[str, float] = {}
    above: dict[str, tuple[str, ...]] = {}
    for detections in photos:
        sure = [found for found in detections if found.confidence >= confident and not found.held]
        seen = Counter(found.label for found in sure)
        for found in sure:
            confidence = found.species.confidence if found.species else found.confidence
            best[found.label] = max(best.get(found.label, 0.0), confidence)
            above[found.label] = _above(found, coarser)
        together = Counter(seen)
        for label, number in seen.items():
            for taxon in above[label]:
                together[taxon] += number
        most |= seen
        with_finer |= together
    known = _individuals(photos, confident)
    numbers: dict[str, int] = {}
    # The finest first: what they account for is known when the coarser ones are counted.
    for label in sorted(most, key=lambda name: -len(above[name])):
        accounted = sum(number for name, number in numbers.items() if label in above[name])
        numbers[label] = max(len(known[label]), min(most[label], max(0, with_finer[label] - accounted)))
    counts = []
    for label, number in numbers.items():
        counts += [Count(label, 1, best[label], name, score) for name, score in known[label].items()]
        if number > len(known[label]):
            counts.append(Count(label, number - len(known[label]), best[label]))
    return tuple(sorted(counts, key=lambda entry: (-entry.confidence, entry.label, entry.individual or "~")))


def _individuals(photos: Sequence[Sequence[Detection]], confident: float) -> defaultdict[str, dict[str, float]]:
    """Of each label the known animals, with the best score of each."""
    known: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for found in (found for detections in photos for found in detections):
        who = found.individual
        if found.confidence >= confident and not found.held and who is not None and who.name is not None:
            known[found.label][who.name] = max(who.score, known[found.label].get(who.name, 0.0))
    return known


def _above(found: Detection, coarser: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    if found.species is None or found.species.name == found.category:
        return ()
    return (*coarser.get(found.species.name, ()), found.category)
