"""Known animals, from the photo to the event, its summary and the results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import assembly
from edge_runtime.errors import GalleryError
from edge_runtime.individuals.gallery import FILE_NAME, Gallery
from edge_runtime.individuals.recogniser import Recogniser
from edge_runtime.individuals.records import MadeBy, Shown
from edge_runtime.journal.journal import Journal
from edge_runtime.models.loading import load_classifier, load_embedder
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.recording import Recorder, Seen
from edge_runtime.settings import Cards, DeviceSettings, Models
from edge_runtime.values import Box, Count, Event, Individual
from tests import colour_classifier, colour_detector
from tests.device.conftest import RULES, Bench

SHADES = {"F1": (230, 0, 0), "stranger": (230, 0, 150), "cougar": (230, 100, 0), "person": (20, 230, 20)}


@pytest.fixture
def known(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recogniser]:
    """A gallery that knows one lynx, F1; lynxes of another tint look otherwise to its embedder."""
    for name, shade in SHADES.items():
        monkeypatch.setitem(colour_detector.COLOURS, name, shade)
    bundle = colour_classifier.build_bundle(tmp_path / "cats")
    classifier = load_classifier(str(bundle.folder), threads=1)
    embedder = load_embedder(str(bundle.folder), threads=1, streams=2)
    made_by = MadeBy(embedder.bundle.title, embedder.dimensions)
    enrol(tmp_path / FILE_NAME, made_by)
    recogniser = Recogniser(tmp_path / FILE_NAME, made_by, classified=True, threads=1)
    bench.pipeline = Pipeline(
        bench.journal, bench.detector, classifier, RULES, workers=2, embedder=embedder, recogniser=recogniser
    )
    yield recogniser
    recogniser.close()


def enrol(file: Path, made_by: MadeBy, name: str = "F1", shade: str = "F1") -> None:
    gallery = Gallery(file)
    vector = np.array(SHADES[shade], np.float32)
    gallery.enrol([Shown("lynx", name, vector, name.encode().ljust(32), "a.jpg", Box(0, 0, 1, 1))], made_by)
    gallery.close()


def burst(bench: Bench, start: int, *photos: dict[tuple[int, int], str]) -> tuple[tuple[Count, ...], bool]:
    """What the event of these photos sends: its counts, and whether a person should look."""
    for number, cells in enumerate(photos):
        bench.shoot(f"CAM/{start}-{number}.JPG", cells, seconds=start + number)
        assert bench.take(f"CAM/{start}-{number}.JPG") is Outcome.FOUND
    bench.pipeline.close_events()
    event = bench.sent()[-1]
    assert isinstance(event, Event)
    return event.counts, event.review


def named(counts: tuple[Count, ...]) -> list[tuple[str, int, str | None]]:
    return [(count.label, count.count, count.individual) for count in counts]


def test_a_known_animal_is_called_by_its_name(bench: Bench, known: Recogniser) -> None:
    counts, review = burst(bench, 0, {(1, 1): "F1"}, {(1, 1): "F1"})
    assert named(counts) == [("lynx", 1, "F1")] and counts[0].score == pytest.approx(1.0, abs=0.01)
    assert not review
    assert [found.individual for result in bench.journal.ledger.results() for found in result.detections] == [
        Individual("F1", pytest.approx(1.0, abs=0.01))  # type: ignore[arg-type]
    ] * 2
    assert bench.journal.codes.names("individual") == ("F1",)


def test_a_stranger_is_new_and_somebody_should_look(bench: Bench, known: Recogniser) -> None:
    counts, review = burst(bench, 0, {(1, 1): "stranger"})
    assert named(counts) == [("lynx", 1, None)] and review
    (result,) = bench.journal.ledger.results()
    assert result.review == "new individual"
    (found,) = result.detections
    assert found.individual is not None and found.individual.name is None and found.individual.score < 0.95


def test_the_known_one_and_the_other_beside_it_are_counted_apart(bench: Bench, known: Recogniser) -> None:
    counts, _ = burst(bench, 0, {(0, 1): "F1", (3, 3): "stranger"})
    assert named(counts) == [("lynx", 1, "F1"), ("lynx", 1, None)]


def test_two_at_once_cannot_both_be_the_same_animal(bench: Bench, known: Recogniser) -> None:
    counts, _ = burst(bench, 0, {(0, 1): "F1", (3, 3): "F1"})
    assert named(counts) == [("lynx", 1, "F1"), ("lynx", 1, None)]


def test_a_species_without_a_gallery_is_nobody_in_particular(bench: Bench, known: Recogniser) -> None:
    counts, review = burst(bench, 0, {(1, 1): "cougar"})
    assert named(counts) == [("cougar", 1, None)] and not review
    (result,) = bench.journal.ledger.results()
    assert [found.individual for found in result.detections] == [None]


def test_who_is_enrolled_while_the_device_runs_is_known_from_then_on(
    bench: Bench, known: Recogniser, tmp_path: Path
) -> None:
    assert named(burst(bench, 0, {(1, 1): "stranger"})[0]) == [("lynx", 1, None)]
    enrol(tmp_path / FILE_NAME, known.made_by, "M7", "stranger")
    assert named(burst(bench, 600, {(1, 1): "stranger"})[0]) == [("lynx", 1, "M7")]


def test_people_are_never_embedded(bench: Bench, known: Recogniser) -> None:
    bench.shoot("CAM/1.JPG", {(0, 0): "person", (3, 3): "F1"})
    look = bench.pipeline.look((bench.stamp("CAM/1.JPG"), True))
    assert isinstance(look, Seen)
    assert {found.category: found.embedding is not None for found in look.detections} == {
        "animal": True,
        "person": False,
    }


def test_an_event_that_was_open_at_a_restart_forgets_nobody_and_leaves_nothing_behind(
    bench: Bench, known: Recogniser
) -> None:
    bench.shoot("CAM/1.JPG", {(1, 1): "F1"})
    bench.take_all()
    file = bench.journal.file
    bench.journal.close()
    bench.journal = Journal(file, device="bench")
    recorder = Recorder(bench.journal, RULES, None, run_id=1, recogniser=known)
    with bench.journal.transaction():
        assert recorder.close_events() == 1
    event = bench.sent()[-1]
    assert isinstance(event, Event) and event.counts[0].individual == "F1"
    assert bench.journal.embeddings.take(1, known.made_by.title) == {}


def test_another_embedder_than_the_gallerys_is_refused_at_the_start(
    bench: Bench, known: Recogniser, colour_bundle: Path, tmp_path: Path
) -> None:
    settings = DeviceSettings(
        device="bench2",
        data=str(tmp_path),
        cards=Cards(root=str(bench.card)),
        time_zone="UTC",
        models=Models(detector=str(colour_bundle), classifier=str(tmp_path / "cats"), embedder="default"),
    )
    with pytest.raises(GalleryError, match="cannot be compared"):
        assembly.assemble(settings)
