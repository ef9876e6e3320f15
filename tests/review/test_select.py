"""Which photos people are asked to label, from the card to the sheet and back."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

from edge_runtime.events import selection
from edge_runtime.intake import decode
from edge_runtime.models.crops import cut_all
from edge_runtime.models.loading import load_embedder
from tests import colour_detector
from tests.review.conftest import LYNX, Ranger, rows

SHADES = [0, 20, 35, 45, 48, 51, 57, 70, 90, 100]
"""How green each animal is: the classifier's logits differ by what it lacks to, or has above, 50."""


@pytest.fixture
def shaded(ranger: Ranger, monkeypatch: pytest.MonkeyPatch) -> Ranger:
    """A card of ten animals, of which some are hard to name, an empty photo, a person and a broken file."""
    for shade in SHADES:
        monkeypatch.setitem(colour_detector.COLOURS, f"shade {shade}", (230, shade, 0))
    order = list(SHADES)
    random.Random(4).shuffle(order)
    for number, shade in enumerate(order):
        ranger.bench.shoot(f"CAM/{shade:03}.JPG", {(1, 1): f"shade {shade}"}, seconds=number * 600)
    ranger.bench.shoot("CAM/empty.JPG", {}, seconds=90_000)
    ranger.bench.shoot("CAM/person.JPG", {(0, 0): "person"}, seconds=91_000)
    (ranger.bench.card / "CAM" / "broken.JPG").write_bytes(b"no picture")
    ranger.read()
    return ranger


def selected(ranger: Ranger) -> list[str]:
    return [line["File"] for line in rows(ranger.selector) if line["Selected"] == "True"]


def margins(ranger: Ranger) -> dict[str, float]:
    """By the definition, of the probabilities that the journal has."""
    found = {}
    for path, result in ranger.results().items():
        tops = []
        for each in result.detections:
            probabilities = np.sort([score for _, score in each.scores])[::-1]
            if len(probabilities):
                tops.append(probabilities[0] - (probabilities[1] if len(probabilities) > 1 else 0))
        if tops:
            found[path.removeprefix("CAM/")] = min(tops)
    return found


def test_the_least_certain_are_selected_and_every_photo_without_an_answer_is_on_the_sheet(shaded: Ranger) -> None:
    told = shaded.select("-n", "4")
    assert "4 of 10 candidates selected by margin; 12 photos without an answer in all" in told
    order = sorted(margins(shaded), key=lambda name: margins(shaded)[name])
    assert len(order) == 10 and set(selected(shaded)) == set(order[:4])
    assert {"048.JPG", "051.JPG"} <= set(selected(shaded)) and "000.JPG" not in selected(shaded)
    lines = rows(shaded.selector)
    assert list(lines[0]) == ["File", "RelativePath", "Selected"]
    assert len(lines) == 12 and {line["Selected"] for line in lines} == {"True", "False"}
    assert "broken.JPG" not in [line["File"] for line in lines]


def test_a_photo_counts_as_its_least_certain_animal(ranger: Ranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(colour_detector.COLOURS, "doubtful", (230, 45, 0))
    ranger.bench.shoot("1.JPG", {(0, 0): "lynx", (3, 3): "between"})
    ranger.bench.shoot("2.JPG", {(0, 0): "doubtful"}, seconds=600)
    ranger.bench.shoot("3.JPG", LYNX, seconds=1200)
    ranger.read()
    ranger.select("-n", "1")
    assert selected(ranger) == ["1.JPG"]


def test_what_is_answered_is_left_out_and_the_answered_sheet_comes_back_whole_or_not_at_all(shaded: Ranger) -> None:
    shaded.select("-n", "3")
    first = selected(shaded)
    lines = [{**line, "Species": "lynx" if line["Selected"] == "True" else ""} for line in rows(shaded.selector)]
    short = [line for line in lines if line["File"] != first[0]]
    error = shaded.say("review", "import", shaded.sheet(short), code=1)
    assert f"no answer to 1 of the photos that were asked about (CAM/{first[0]})" in error
    unnamed = [{**line, "Species": line["Species"] if line["File"] != first[1] else ""} for line in lines]
    assert "selected, and not answered" in shaded.say("review", "import", shaded.sheet(unnamed), code=1)
    inexact = [{**line, "Species": line["Species"].title()} for line in lines]
    assert "'Lynx' is no class here; did you mean 'lynx'?" in shaded.say(
        "review", "import", shaded.sheet(inexact), code=1
    )
    assert shaded.table("answer") == []
    assert "3 new" in shaded.say("review", "import", shaded.sheet(lines))
    shaded.select("-n", "3")
    assert not set(selected(shaded)) & set(first) and len(rows(shaded.selector)) == 9


def test_a_sheet_of_the_review_does_not_have_to_answer_the_selection_too(shaded: Ranger) -> None:
    review = shaded.export()
    shaded.select("-n", "5")
    answered = shaded.sheet([{**line, "Species": "lynx"} for line in review])
    assert len(review) != 5 and f"{len(review)} new" in shaded.say("review", "import", answered)


def test_uniform_is_the_same_for_the_same_seed_and_every_photo_with_an_animal_gets_its_turn(shaded: Ranger) -> None:
    drawn = []
    for seed in range(12):
        shaded.select("--strategy", "uniform", "-n", "3", "--seed", str(seed))
        drawn.append(selected(shaded))
    shaded.select("--strategy", "uniform", "-n", "3", "--seed", "0")
    assert selected(shaded) == drawn[0]
    assert {name for names in drawn for name in names} == {f"{shade:03}.JPG" for shade in SHADES}


def test_entropy_prefers_the_undecided_too(shaded: Ranger) -> None:
    shaded.select("--strategy", "entropy", "-n", "2")
    assert set(selected(shaded)) == {"048.JPG", "051.JPG"}


def test_k_centre_chooses_by_the_looks_of_the_crops_and_counts_answers_as_chosen(shaded: Ranger) -> None:
    embedder = load_embedder(str(shaded.folder / "cats"), threads=1)

    def looks(result_path: str) -> list[np.ndarray]:
        file = shaded.bench.card / result_path
        data = file.read_bytes()
        with decode.open_photo(data, file, max_pixels=10**9) as image:
            frame = decode.decode(data, image, file)
        found = shaded.results()[result_path].detections
        return [each.vector for each in embedder.embed(cut_all(frame, found, embedder.bundle.manifest))]

    shaded.answer({"CAM/000.JPG": "lynx"})
    told = shaded.select("--strategy", "k-centre", "-n", "3")
    assert "3 of 9 candidates" in told
    names = sorted(f"CAM/{shade:03}.JPG" for shade in SHADES if shade)
    vectors = {name: looks(name)[0] for name in names}
    centres, expected = [looks("CAM/000.JPG")[0]], []
    for _ in range(3):
        apart = {
            name: min(float(np.linalg.norm(vector - centre)) for centre in centres)
            for name, vector in vectors.items()
            if name not in expected
        }
        expected.append(max(apart, key=lambda name: apart[name]))
        centres.append(vectors[expected[-1]])
    assert {f"CAM/{name}" for name in selected(shaded)} == set(expected)
    assert "CAM/100.JPG" in expected  # the greenest lies farthest from the reddest


def test_photos_that_cannot_be_looked_at_are_named_and_no_candidates(shaded: Ranger) -> None:
    card = shaded.bench.card / "CAM"
    (card / "045.JPG").unlink()
    shutil.copyfile(card / "000.JPG", card / "100.JPG")
    error = shaded.select("--strategy", "k-centre", "-n", "10", code=1)
    assert "045.JPG: No such file" in error and "100.JPG: another photo has its name" in error
    assert len(selected(shaded)) == 8


def test_the_card_may_be_a_copy_elsewhere(shaded: Ranger) -> None:
    shutil.move(shaded.bench.card, shaded.folder / "copy")
    shaded.select("--strategy", "k-centre", "-n", "2", "--card", str(shaded.folder / "copy"))
    assert len(selected(shaded)) == 2


def test_the_pool_limits_what_is_looked_at(shaded: Ranger) -> None:
    assert "2 of 4 candidates" in shaded.select("--strategy", "k-centre", "-n", "2", "--pool", "4")


def test_no_person_is_ever_embedded(ranger: Ranger, monkeypatch: pytest.MonkeyPatch) -> None:
    ranger.bench.shoot("1.JPG", {(0, 0): "person"})
    ranger.bench.shoot("2.JPG", LYNX, seconds=600)
    ranger.read()
    ranger.answer({"1.JPG": "lynx"})  # somebody was wrong
    shown: list[int] = []
    plain = selection.k_centre

    def spy(*arguments: object, labelled: object) -> list[int]:
        shown.append(0 if labelled is None else len(labelled))  # type: ignore[arg-type]
        return plain(*arguments, labelled=labelled)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "k_centre", spy)
    ranger.select("--strategy", "k-centre", "-n", "1")
    assert shown == [0] and selected(ranger) == ["2.JPG"]


def test_without_a_classified_animal_it_says_what_to_do(ranger: Ranger) -> None:
    ranger.bench.rebuild()
    ranger.bench.shoot("1.JPG", LYNX)
    ranger.read()
    assert "--strategy uniform" in ranger.select(code=1)
    assert not ranger.selector.exists()
    ranger.select("--strategy", "uniform")
    assert selected(ranger) == ["1.JPG"]
