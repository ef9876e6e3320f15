"""What `edge-runtime gallery` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.individuals import open_set
from edge_runtime.individuals.evaluation import Evaluation, HeldOut, Retrieval
from edge_runtime.individuals.open_set import Calibration
from edge_runtime.individuals.rates import Rate
from edge_runtime.individuals.records import Annotation, Known, MadeBy

_SHOWN = (1, 3, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Measured:
    """A species, or one side of it, and what was measured on it."""

    species: str
    viewpoint: str | None
    """None: all of them."""
    animals: int
    photos: int
    calibration: Calibration | None
    """None: too few animals."""


def listing(file: Path, made: MadeBy | None, known: Sequence[Known], annotations: Sequence[Annotation] | None) -> str:
    """Who is known, and each of their photos where wanted."""
    by = "" if made is None else f"; embeddings by {made.title}, {made.dimensions} dimensions"
    lines = [f"{file}: {len(known)} individuals, {sum(one.annotations for one in known)} annotations{by}"]
    width = max((len(one.name) for one in known), default=0)
    for one in known:
        sides = " ".join(side for side in one.viewpoints if side)
        lines.append(f"  {one.species}  {one.name:{width}}  {one.annotations:5} photos  {sides}".rstrip())
        mine = [a for a in annotations or () if (a.species, a.name) == (one.species, one.name)]
        lines += [f"    {a.id:6}  {a.viewpoint or '-':5}  {a.file}" for a in mine]
    return "\n".join(lines) + "\n"


def evaluation(made: Evaluation) -> str:
    """The table of top-k and mAP, and strangers against what was stated."""
    if made.together is None:
        return "nobody has two annotations of one species and viewpoint: nothing to evaluate\n"
    rows = [_retrieval(row, f"{row.species} {row.viewpoint}".strip()) for row in made.retrieval]
    width = max(len("all"), *(len(title) for title, _ in rows))
    head = "  ".join(f"top-{k:<2}" for k in _SHOWN)
    lines = [f"{'':{width}}  animals  queries     mAP  {head}"]
    lines += [f"{title:{width}}  {figures}" for title, figures in (*rows, _retrieval(made.together, "all"))]
    if not made.held_out:
        lines.append("open set: fewer animals than half of them as strangers would need")
    lines += [_held_out(one) for one in made.held_out]
    return "\n".join(lines) + "\n"


def calibrations(rows: Sequence[Measured]) -> str:
    """Thresholds and the errors that they make."""
    lines: list[str] = []
    for row in rows:
        side = "all viewpoints" if row.viewpoint is None else row.viewpoint or "no viewpoint"
        lines.append(f"{row.species}, {side}: {row.animals} animals, {row.photos} photos")
        made = row.calibration
        if made is None:
            lines.append(
                f"  uncalibrated: fewer than {open_set.LEAST_ANIMALS} animals with two photos; "
                f"a name counts from {open_set.UNCALIBRATED:.2f} on"
            )
            continue
        lines.append(
            f"  a name counts from {made.threshold(1):.3f} on ({made.threshold(5):.3f} for the best of 5 crops)"
        )
        lines.append(f"  a stranger is taken for a known animal   {_rate(made.false_accept)}, wanted {made.wanted:.1%}")
        lines.append(f"  a known animal is called new             {_rate(made.false_reject)}")
        lines.append(f"  a known animal is taken for another one  {_rate(made.misnamed)}")
    return "\n".join(lines) + "\n"


def _retrieval(row: Retrieval, title: str) -> tuple[str, str]:
    top = "  ".join(f"{row.top[k - 1]:6.1%}" for k in _SHOWN)
    return title, f"{row.animals:7}  {row.queries:7}  {row.mean_average_precision:6.1%}  {top}"


def _held_out(one: HeldOut) -> str:
    what = f"{one.species} {one.viewpoint}".strip()
    return (
        f"open set, {what}: of strangers {one.measured:.1%} were taken for a known animal, stated "
        f"{one.stated:.1%} ({one.low:.1%} to {one.high:.1%}); half of {one.animals} animals, {one.splits} times"
    )


def _rate(rate: Rate) -> str:
    return f"{rate.value:6.1%} ({rate.low:.1%} to {rate.high:.1%}; {rate.photos} photos of {rate.animals} animals)"
