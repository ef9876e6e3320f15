"""One-vs-all beside an independent computation, and on geometry whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.individuals import evaluation
from edge_runtime.individuals.enrolment import Enroller, Wanted
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.models import loading
from tests.individuals.animals import MADE_BY, fill, population, shown


def plainly(vectors: np.ndarray, names: list[str]) -> tuple[list[float], float]:
    """Top-k and mAP of one group, from their definitions: the ranking of all others by cosine, one query at a time."""
    hits: list[list[int]] = []
    precisions: list[float] = []
    for query, name in enumerate(names):
        others = [place for place in range(len(names)) if place != query]
        cosine = {place: float(np.dot(vectors[query].astype(float), vectors[place].astype(float))) for place in others}
        ranking = sorted(others, key=lambda place: -cosine[place])
        relevant = [names[place] == name for place in ranking]
        hits.append([any(relevant[:k]) for k in range(1, 21)])
        found, total = 0, 0.0
        for rank, right in enumerate(relevant, start=1):
            if right:
                found += 1
                total += found / rank
        precisions.append(total / found)
    return np.mean(hits, axis=0).tolist(), float(np.mean(precisions))


def with_sklearn(vectors: np.ndarray, names: list[str]) -> float:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the workstation's environment")
    cosines = vectors.astype(float) @ vectors.astype(float).T
    same = np.array(names)[:, None] == np.array(names)[None]
    masks = ~np.eye(len(names), dtype=bool)
    return float(
        np.mean([metrics.average_precision_score(s[m], c[m]) for s, c, m in zip(same, cosines, masks, strict=True)])
    )


def test_on_the_turtle_photos_it_equals_an_independent_computation(gallery: Gallery, assets: Path) -> None:
    folder = assets / "photos" / "wildlife_tools"
    photos = sorted(folder.glob("identity_*.JPG"))
    if not photos:
        pytest.skip(f"no turtle photos in {folder}")
    detector, embedder = (load("default", threads=2) for load in (loading.load_detector, loading.load_embedder))
    enroller = Enroller(detector, embedder, pick="whole")
    names = [photo.name.split("__")[0] for photo in photos]
    for photo, name in zip(photos, names, strict=True):
        gallery.enrol([enroller.read(Wanted(photo, "turtle", name))], enroller.made_by)
    made = evaluation.evaluate(gallery, threads=2)
    group = gallery.group("turtle")
    assert group is not None and made.together is not None
    top, precision = plainly(group.matrix, names)
    assert list(made.together.top) == pytest.approx(top)
    assert made.together.mean_average_precision == pytest.approx(precision)
    assert precision == pytest.approx(with_sklearn(group.matrix, names))
    assert (made.together.queries, made.together.animals) == (4, 2)


@pytest.mark.parametrize("scatter", [0.5, 1.2, 2.5])
def test_on_synthetic_animals_it_equals_an_independent_computation(gallery: Gallery, scatter: float) -> None:
    expected = []
    for seed, (species, side) in enumerate([("leopard", "left"), ("leopard", "right"), ("jaguar", "")]):
        kind = population(seed, scatter)
        vectors, who = kind.photos(kind.animals(25), 2, 9)
        fill(gallery, vectors, who, species=species, side=side)
        group = gallery.group(species, side)
        assert group is not None
        names = [str(one) for one in who]
        top, precision = plainly(group.matrix, names)
        assert precision == pytest.approx(with_sklearn(group.matrix, names))
        expected.append((species, side, top, precision, len(names)))
    made = evaluation.evaluate(gallery, threads=2)
    assert made.together is not None
    for species, side, top, precision, queries in expected:
        (row,) = [one for one in made.retrieval if (one.species, one.viewpoint) == (species, side)]
        assert list(row.top) == pytest.approx(top) and row.mean_average_precision == pytest.approx(precision)
        assert (row.queries, row.animals) == (queries, 25)
    weights = [one[4] for one in expected]
    together = float(np.average([one[3] for one in expected], weights=weights))
    assert made.together.mean_average_precision == pytest.approx(together)
    assert made.together.queries == sum(weights) and made.together.animals == 75
    alone = evaluation.evaluate(gallery, threads=1, species=("jaguar",))
    assert [one.species for one in alone.retrieval] == ["jaguar"]


def at(degrees: float) -> list[float]:
    return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))]


def test_on_a_circle_the_answer_is_known(gallery: Gallery) -> None:
    # A at 0 and 30, B at 10 and 100. A0 sees B10 first, A30 sees B10 first, B10 sees A0, A30, then its own,
    # B100 sees A30, B10, A0.
    angles = {"A": (0, 30), "B": (10, 100)}
    entries = [shown(name, at(angle), f"{angle}.jpg") for name, both in angles.items() for angle in both]
    gallery.enrol(entries, MADE_BY)
    made = evaluation.evaluate(gallery, threads=1).together
    assert made is not None
    assert made.top[:3] == (0.0, 0.75, 1.0) and set(made.top[2:]) == {1.0}
    assert made.mean_average_precision == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_animals_with_one_annotation_take_no_part_and_of_many_ten_do(gallery: Gallery) -> None:
    kind = population(3)
    vectors, who = kind.photos(kind.animals(4), 14, 14)
    single, alone = kind.photos(kind.animals(5), 1, 1)
    fill(gallery, np.concatenate([vectors, single]), np.concatenate([who, alone + 100]))
    made = evaluation.evaluate(gallery, threads=1).together
    assert made is not None and (made.animals, made.queries) == (4, 40)
    names = np.concatenate([who, alone + 100])
    chosen = evaluation.taking_part(names, seed=0)
    assert np.unique(names[chosen], return_counts=True)[1].tolist() == [10, 10, 10, 10]
    assert (chosen == evaluation.taking_part(names, seed=0)).all()
    assert (chosen != evaluation.taking_part(names, seed=1)).any()


def test_sides_are_never_compared_with_each_other(gallery: Gallery) -> None:
    left = [
        shown(name, vector, f"l{name}{n}", viewpoint="left")
        for name, vector in (("A", [1]), ("B", [0, 1]))
        for n in "12"
    ]
    gallery.enrol(
        [*left, shown("A", [0, 1], "r1", viewpoint="right"), shown("B", [0, 1], "r2", viewpoint="right")], MADE_BY
    )
    made = evaluation.evaluate(gallery, threads=1)
    assert [one.viewpoint for one in made.retrieval] == ["left"]
    assert made.together is not None and made.together.top[0] == 1.0


def test_a_wrong_one_that_is_as_alike_stands_before_the_right_one(gallery: Gallery) -> None:
    gallery.enrol([shown("A", [1], "1"), shown("A", [1], "2"), shown("B", [1], "3"), shown("B", [0, 1], "4")], MADE_BY)
    made = evaluation.evaluate(gallery, threads=1).together
    assert made is not None and made.top[0] == 0.0


def test_an_empty_gallery_has_nothing_to_evaluate(gallery: Gallery) -> None:
    assert evaluation.evaluate(gallery, threads=1).together is None
    gallery.enrol([shown("A", [1], "1")], MADE_BY)
    assert evaluation.evaluate(gallery, threads=1).together is None


def test_strangers_that_are_held_out_pass_as_often_as_is_stated(gallery: Gallery) -> None:
    kind = population(11, scatter=0.7)
    fill(gallery, *kind.photos(kind.animals(160), 2, 4))
    (held_out,) = evaluation.evaluate(gallery, threads=2).held_out
    assert held_out.splits == 10 and held_out.animals == 160
    assert held_out.low < held_out.measured < held_out.high
    assert held_out.measured == pytest.approx(held_out.stated, abs=0.03)
