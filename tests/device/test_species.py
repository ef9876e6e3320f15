"""From a card to the species of its animals: over the photos of an event, in a region, beside people, for review."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.bundles.manifest import CropRule
from edge_runtime.journal.reading import reading
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.loading import load_classifier
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.settings import EvidenceRule
from edge_runtime.values import Crop, Event, Pixels, Scores, Species
from tests import colour_classifier, colour_detector
from tests.device.conftest import RULES, Bench

SHADES = {
    "lynx": (230, 0, 0),
    "lynx?": (230, 42, 0),
    "cougar?": (230, 55, 0),
    "between": (230, 50, 0),
    "cougar": (230, 100, 0),
}


@pytest.fixture
def cats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that tells lynx and cougar by their shade; photos may show the shades, two of them hard to tell."""
    for name, shade in SHADES.items():
        monkeypatch.setitem(colour_detector.COLOURS, name, shade)
    colour_classifier.build_bundle(tmp_path / "cats")
    return tmp_path / "cats"


def loaded(folder: Path) -> Classifier:
    classifier = load_classifier(str(folder), threads=1)
    assert classifier is not None
    return classifier


def closed(bench: Bench, classifier: Classifier | None, *, rule: EvidenceRule = "mean-log") -> list[Event]:
    """Read the card, close its events; what was sent."""
    bench.pipeline = Pipeline(bench.journal, bench.detector, classifier, replace(RULES, rule=rule))
    bench.take_all()
    bench.pipeline.close_events()
    return [event for event in bench.sent() if isinstance(event, Event)]


def counts(event: Event) -> dict[str, int]:
    return {count.label: count.count for count in event.counts}


def tracks(bench: Bench) -> list[tuple[object, ...]]:
    rows = bench.journal._connection.execute(
        "SELECT event_id, track, species, round(confidence, 2), rule, round(support, 2), frames FROM track"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("rule", ["mean-log", "majority"])
def test_one_cat_of_which_one_frame_errs_is_one_cat(bench: Bench, cats: Path, rule: EvidenceRule) -> None:
    for number, name in enumerate(["lynx?", "cougar?", "lynx?"]):
        bench.shoot(f"CAM/{number}.JPG", {(1, 1): name}, seconds=number)
    classifier = loaded(cats)
    (event,) = closed(bench, classifier, rule=rule)
    own = [result.detections[0] for result in bench.journal.ledger.results()]
    assert [found.scores[0][0] for found in own] == ["lynx", "cougar", "lynx"]
    assert counts(event) == {"lynx": 1} and event.photos == 3
    ((_, _, species, confidence, by, support, frames),) = tracks(bench)
    assert (species, by, support, frames) == ("lynx", rule, 0.67, 3)
    assert [found.species for found in own] == [Species("lynx", pytest.approx(confidence, abs=0.01))] * 3
    assert event.counts[0].confidence == pytest.approx(confidence, abs=0.01)


def test_each_detection_that_counts_has_its_track_and_two_animals_have_two(bench: Bench, cats: Path) -> None:
    for number in range(3):
        bench.shoot(f"CAM/{number}.JPG", {(0, 0): "lynx", (3, 3): "cougar", (3, 0): "person"}, seconds=number)
    (event,) = closed(bench, loaded(cats))
    assert counts(event) == {"lynx": 1, "cougar": 1, "person": 1}
    rows = bench.journal._connection.execute("SELECT category, track, x1 > 0.5 FROM detection").fetchall()
    by_place = {(category, right): track for category, track, right in rows}
    assert len(rows) == 9 and len({tuple(row) for row in rows}) == 3, "each animal keeps its track"
    assert by_place["person", 1] is None and {by_place["animal", 0], by_place["animal", 1]} == {0, 1}


def test_a_herd_is_counted_by_what_is_seen_at_once(bench: Bench, cats: Path) -> None:
    bench.shoot("CAM/1.JPG", {(0, 0): "lynx", (2, 0): "lynx"}, seconds=0)
    bench.shoot("CAM/2.JPG", {(0, 3): "lynx", (1, 2): "lynx", (3, 3): "lynx"}, seconds=3)
    (event,) = closed(bench, loaded(cats))
    assert counts(event) == {"lynx": 3}


def test_photos_that_need_a_person_say_why_and_the_event_says_so(bench: Bench, cats: Path) -> None:
    bench.shoot("SURE/1.JPG", {(1, 1): "lynx", (2, 3): "person"})
    bench.shoot("FAMILY/1.JPG", {(1, 1): "between"})
    bench.shoot("DOUBT/1.JPG", {(1, 1): "lynx?"})
    bench.shoot("PEOPLE/1.JPG", {(1, 1): "person", (2, 2): "vehicle"})
    bench.shoot("EMPTY/1.JPG", {})
    sent = {event.camera: event.review for event in closed(bench, loaded(cats))}
    assert sent == {"SURE": False, "FAMILY": True, "DOUBT": True, "PEOPLE": False}
    reasons = {str(result.path): result.review for result in bench.journal.ledger.results()}
    doubt = reasons.pop("DOUBT/1.JPG")
    assert doubt.startswith("lynx at 0.") and doubt.endswith(", below 0.98")
    assert reasons == {
        "SURE/1.JPG": "",
        "FAMILY/1.JPG": "only as far as cat family",
        "PEOPLE/1.JPG": "",
        "EMPTY/1.JPG": "",
    }


def test_without_a_classifier_nobody_is_asked_what_an_animal_is(bench: Bench) -> None:
    bench.shoot("CAM/1.JPG", {(1, 1): "animal"})
    (event,) = closed(bench, None)
    assert counts(event) == {"animal": 1} and not event.review


def test_what_a_person_said_of_a_picture_counts_when_its_event_is_closed(bench: Bench, cats: Path) -> None:
    for number in range(2):
        bench.shoot(f"CAM/{number}.JPG", {(1, 1): "lynx?"}, seconds=number)
    bench.pipeline = Pipeline(bench.journal, bench.detector, loaded(cats), RULES)
    bench.take_all()
    first = next(bench.journal.ledger.results())
    assert first.sha256 is not None
    bench.journal.answers.give({first.sha256: "caracal"}, source="test", now_s=1)
    bench.pipeline.close_events()
    (event,) = bench.sent()
    assert isinstance(event, Event) and counts(event) == {"caracal": 1}
    answered, other = bench.journal.ledger.results()
    assert (answered.detections[0].label, answered.review) == ("caracal", "")
    assert other.detections[0].label == "lynx" and other.review, "nobody has looked at that one"


class Watched(Classifier):
    """The real one, which keeps what it is shown."""

    shown: list[Pixels]

    def answer(self, crop: Crop) -> tuple[Species | None, Scores]:
        self.shown.append(crop.pixels)
        return super().answer(crop)


@pytest.fixture
def watched(cats: Path) -> Callable[[float], Watched]:
    def with_margin(margin: float) -> Watched:
        bundle = loaded(cats).bundle
        manifest = msgspec.structs.replace(bundle.manifest, crop=CropRule(margin=margin))
        made = Watched(replace(bundle, manifest=manifest), threads=1)
        made.shown = []
        return made

    return with_margin


def green(pixels: Pixels) -> int:
    """How many pixels show a person."""
    return int(((pixels[..., 1] > 200) & (pixels[..., 0] < 60)).sum())


def test_a_person_is_never_shown_to_the_classifier_but_counted_in_mixed_frames_too(
    bench: Bench, watched: Callable[[float], Watched]
) -> None:
    bench.shoot("MIXED/1.JPG", {(1, 1): "lynx", (2, 1): "person", (1, 2): "person", (3, 3): "vehicle"})
    bench.shoot("PEOPLE/1.JPG", {(1, 1): "person"}, seconds=500)
    classifier = watched(0.6)
    mixed, people = closed(bench, classifier)
    assert counts(mixed)["person"] == 2 and counts(mixed)["vehicle"] == 1 and counts(people) == {"person": 1}
    (crop,) = classifier.shown
    # They would take up a quarter of it. This detector's boxes end a twentieth of a cell before its colour does.
    assert green(crop) < 0.08 * crop.shape[0] * crop.shape[1]
    pad = (np.abs(crop.astype(int) - 114).max(axis=-1) == 0).mean()
    assert pad > 0.2, "where the people stood"
    person = [found for result in bench.journal.ledger.results() for found in result.detections]
    assert all(not found.scores and found.species is None for found in person if found.category == "person")


def test_the_crop_of_an_animal_with_nobody_beside_it_is_what_the_photo_shows(
    bench: Bench, watched: Callable[[float], Watched]
) -> None:
    bench.shoot("CAM/1.JPG", {(1, 1): "lynx", (3, 3): "person"})
    classifier = watched(0.0)
    closed(bench, classifier)
    (crop,) = classifier.shown
    assert (np.abs(crop.astype(int) - SHADES["lynx"]).max(axis=-1) < 40).all()


@pytest.fixture
def park(tmp_path: Path) -> Path:
    file = tmp_path / "park.txt"
    file.write_text("# what lives here\nlynx\n")
    return file


def processed(bench: Bench, bundle: Path, cats: Path, output: Path, *options: str) -> int:
    models = ["--detector", str(bundle), "--classifier", str(cats), "--threads", "1"]
    return cli.main(["process", str(bench.card), "-o", str(output), *models, *options])


def test_a_species_that_is_not_allowed_is_told_as_far_as_the_group_that_holds_an_allowed_one(
    bench: Bench, cats: Path, colour_bundle: Path, park: Path, tmp_path: Path
) -> None:
    bench.shoot("1.JPG", {(1, 1): "cougar"})
    bench.shoot("2.JPG", {(1, 1): "lynx"}, seconds=500)
    assert processed(bench, colour_bundle, cats, tmp_path / "r.json", "--allowed", str(park)) == 0
    made = json.loads((tmp_path / "r.json").read_text())
    best = {
        image["file"]: made["classification_categories"][image["detections"][0]["classifications"][0][0]]
        for image in made["images"]
    }
    assert best == {"1.JPG": "cat family", "2.JPG": "lynx"}


def test_a_list_with_a_name_that_the_classifier_does_not_know_starts_nothing(
    bench: Bench, cats: Path, colour_bundle: Path, park: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    park.write_text("lynx\ncugar\n")
    assert processed(bench, colour_bundle, cats, tmp_path / "r.json", "--allowed", str(park)) == 2
    error = capsys.readouterr().err
    assert f"{park}:2" in error and "did you mean 'cougar'" in error
    assert processed(bench, colour_bundle, Path("none"), tmp_path / "r.json", "--allowed", str(park)) == 2
    assert "there is none" in capsys.readouterr().err


def test_the_device_keeps_to_the_list_in_its_settings(
    bench: Bench, cats: Path, colour_bundle: Path, park: Path, tmp_path: Path
) -> None:
    bench.shoot("SD/1.JPG", {(1, 1): "cougar"})
    file = tmp_path / "device.yaml"
    models = {"detector": str(colour_bundle), "classifier": str(cats), "allowed": park.name, "threads": 1}
    settings = {
        "device": "hut-1",
        "data": "hut",
        "cards": {"root": str(bench.card)},
        "time_zone": "UTC",
        "models": models,
        "events": {"rule": "majority"},
        "uplink": {"port": 1, "drain_seconds": 0},
    }
    file.write_text(json.dumps(settings))
    assert cli.main(["run", "-c", str(file), "--until-idle"]) == 3, "nobody listens on port 1"
    with reading(tmp_path / "hut" / "journal.sqlite") as reader:
        (result,) = reader.results()
    assert result.detections[0].label == "cat family"
    assert result.review == "only as far as cat family"


def test_an_event_that_another_classifier_left_open_is_closed_all_the_same(
    bench: Bench, cats: Path, tmp_path: Path
) -> None:
    for number in range(2):
        bench.shoot(f"CAM/{number}.JPG", {(1, 1): "lynx"}, seconds=number)
    bench.rebuild(classifier=loaded(cats))
    assert set(bench.take_all()) == {Outcome.FOUND}
    bench.rebuild()
    bench.pipeline.close_events()
    (event,) = bench.sent()
    assert isinstance(event, Event) and counts(event) == {"lynx": 1}
