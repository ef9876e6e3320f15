"""Which consecutive photos are one event, and what the event showed. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edge_runtime.values import Count, Detection


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


def count(photos: Sequence[Sequence[Detection]], *, confident: float) -> tuple[Count, ...]:
    """How many of each label an event showed: the largest number seen at once in one photo.

    Args:
        photos: the detections of each photo of the event.
        confident: weaker detections do not count.

    An animal without a species counts as `animal` only as far as more animals were seen at once than the species
    account for: a leopard that one of three frames could not name is still one leopard. A label's confidence is
    its best in the event: the classifier's for a species, else the detector's.
    """
    most: Counter[str] = Counter()
    best: dict[str, float] = {}
    most_animals = 0
    species: set[str] = set()
    for detections in photos:
        sure = [found for found in detections if found.confidence >= confident]
        for label, number in Counter(found.label for found in sure).items():
            most[label] = max(most[label], number)
        most_animals = max(most_animals, sum(found.category == "animal" for found in sure))
        for found in sure:
            confidence = found.species.confidence if found.species else found.confidence
            best[found.label] = max(best.get(found.label, 0.0), confidence)
            if found.species:
                species.add(found.species.name)
    if most["animal"]:
        most["animal"] = min(most["animal"], max(0, most_animals - sum(most[name] for name in species)))
    counts = [Count(label, number, best[label]) for label, number in most.items() if number]
    return tuple(sorted(counts, key=lambda entry: (-entry.confidence, entry.label)))
