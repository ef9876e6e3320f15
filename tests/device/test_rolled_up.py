"""An animal of which only the family is sure, from the photo to the event, the results file and the codebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.models.loading import load_classifier
from edge_runtime.pipeline import Outcome
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.values import CATEGORIES
from tests import colour_classifier, colour_detector
from tests.device.conftest import Bench

LYNX, BETWEEN, COUGAR = ({(1, 1): shade} for shade in colour_classifier.SHADES)


@pytest.fixture
def cats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that tells lynx and cougar by their shade, and photos that have these shades."""
    for name, shade in colour_classifier.SHADES.items():
        monkeypatch.setitem(colour_detector.COLOURS, name, shade)
    colour_classifier.build_bundle(tmp_path / "cats")
    return tmp_path / "cats"


def test_a_cat_of_which_one_frame_knew_the_family_only_is_the_one_that_the_others_named(
    bench: Bench, cats: Path
) -> None:
    bench.rebuild(classifier=load_classifier(str(cats), threads=1))
    bursts = {0: [LYNX, BETWEEN, LYNX], 600: [BETWEEN, BETWEEN], 1200: [COUGAR, BETWEEN]}
    for start, burst in bursts.items():
        for number, cells in enumerate(burst):
            bench.shoot(f"CAM/{start}-{number}.JPG", cells, seconds=start + number)
    assert set(bench.take_all()) == {Outcome.FOUND}
    bench.pipeline.close_events()
    assert [event[3] for event in bench.events()] == [{"lynx": 1}, {"cat family": 1}, {"cougar": 1}]


def test_the_results_file_names_the_family_and_where_every_name_stands(
    bench: Bench, cats: Path, colour_bundle: Path, tmp_path: Path
) -> None:
    bench.shoot("1.JPG", BETWEEN)
    file = tmp_path / "results.json"
    models = ["--detector", str(colour_bundle), "--classifier", str(cats)]
    assert cli.main(["process", str(bench.card), "-o", str(file), *models]) == 0
    made = json.loads(file.read_text())
    ((found,),) = (image["detections"] for image in made["images"])
    (category, confidence), *further = found["classifications"]
    assert made["classification_categories"][category] == "cat family" and confidence >= 0.8
    rest = {made["classification_categories"][each]: share for each, share in further}
    assert rest.keys() == {"lynx", "cougar"} and sum(rest.values()) == pytest.approx(confidence, abs=0.01)
    descriptions = made["classification_category_descriptions"]
    assert descriptions[category] == "mammalia;carnivora;felidae;;;cat family"
    assert sorted(descriptions.values()) == [
        "mammalia;carnivora;felidae;;;cat family",
        "mammalia;carnivora;felidae;lynx;;lynx",
        "mammalia;carnivora;felidae;puma;concolor;cougar",
    ]


def test_every_name_of_the_packaged_classifier_has_a_code_and_common_groups_a_short_one() -> None:
    classifier = load_classifier("default", threads=1)
    assert classifier is not None
    book = Codebook("cam-1", "0" * 16, (), (*CATEGORIES, *classifier.names))
    codes = {name: book.label_code(name) for name in classifier.names}
    assert len(set(codes.values())) == len(classifier.names)
    # 255 is the escape of PAYLOAD.md's 8 bits: codes below it need no second field.
    assert all(codes[name] < 255 for name in ("mammal", "bird", "carnivore", "cat family", "dog family", "rodent"))
