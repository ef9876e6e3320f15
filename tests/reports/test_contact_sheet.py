"""The contact sheet: a page that needs nothing, on which nobody can be recognised."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser
from skimage import data

from edge_runtime import cli
from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.intake import completeness, identity, scan
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.runs import Run
from edge_runtime.models.loading import load_classifier, load_detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.reports import contact_sheet, thumbnails
from edge_runtime.reports.contact_sheet import Choice, Made
from edge_runtime.rules import Rules
from edge_runtime.tryout import sample_card
from edge_runtime.tryout.sample_card import SampleCard
from edge_runtime.values import Box, Capture, Detection, FailureKind, FileStamp, Footage, Photo, Pixels, Species

ALL = Choice(only="all")
RUN = Run(detector="d 1", confident=0.5, keep=0.05, time_zone="Africa/Nairobi")
NOON = int(datetime(2026, 5, 1, 12, tzinfo=ZoneInfo("Africa/Nairobi")).timestamp())
PERSON, CAT = Box(0.05, 0.1, 0.45, 0.95), Box(0.55, 0.2, 0.95, 0.8)
"""Where `photo` has them."""


def photo(*, left: Pixels | None = None, seed: int = 0) -> bytes:
    """A JPEG with a person on the left and a cat on the right, 1200 x 800; or another picture on the left."""
    pixels = np.full((800, 1200, 3), 90 + seed, np.uint8)
    for box, picture in ((PERSON, data.astronaut() if left is None else left), (CAT, data.chelsea())):
        x1, x2, y1, y2 = (round(v * side) for v, side in ((box.x1, 1200), (box.x2, 1200), (box.y1, 800), (box.y2, 800)))
        pixels[y1:y2, x1:x2] = cv2.resize(picture, (x2 - x1, y2 - y1))
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    Image.fromarray(pixels).save(stream, "JPEG", quality=92, exif=exif)
    return stream.getvalue()


@dataclass
class Bench:
    """A card, and a journal that says of its photos what the test wants."""

    card: Path
    journal: Path

    def record(
        self,
        name: str,
        *found: Detection,
        content: bytes | None = None,
        camera: str = "ridge",
        at_s: int | None = NOON,
        event: int | None = None,
        answer: str = "",
        review: str = "",
        footage: Footage | None = None,
    ) -> int:
        """Put a photo on the card and into the journal; returns its event."""
        file = self.card / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo() if content is None else content)
        seen = file.stat()
        stamp = FileStamp(self.card, PurePosixPath(name), seen.st_size, seen.st_mtime_ns)
        picture = file.read_bytes()
        end = len(picture) if footage else completeness.check(picture).end
        sha256 = identity.picture_hash(picture, end)
        taken = Capture(at_s, "exif" if at_s else "unknown", "", "", "", 1200, 800)
        journal = Journal(self.journal, device="hut-1")
        try:
            with journal.transaction():
                event = event or journal.events.begin(camera, at_s, taken.time_source)
                journal.ledger.add_photo(
                    Photo(stamp, sha256, camera, taken, footage),
                    found,
                    empty=not found,
                    event_id=event,
                    now_s=NOON,
                    run_id=journal.runs.add(RUN),
                )
        finally:
            journal.close()
        self.sql("UPDATE photo SET review = ? WHERE sha256 = ?", review, sha256)
        if answer:
            self.sql("INSERT INTO answer VALUES (?, ?, ?, 'test')", sha256, answer, NOON)
        return event

    def fail(self, name: str, problem: str) -> None:
        journal = Journal(self.journal, device="hut-1")
        try:
            with journal.transaction():
                stamp = FileStamp(self.card, PurePosixPath(name), 1, 1)
                journal.ledger.add_failure(stamp, FailureKind.ACCESS, problem, attempts=1, final=True)
        finally:
            journal.close()

    def sql(self, statement: str, *values: object) -> None:
        import sqlite3

        with sqlite3.connect(self.journal) as connection:
            connection.execute(statement, values)
        connection.close()

    def sheet(self, choice: Choice = ALL) -> tuple[Made, str]:
        output = self.journal.parent / "sheet.html"
        made = contact_sheet.write(self.journal, self.card, output, choice)
        return made, output.read_text(encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "card").mkdir()
    return Bench(tmp_path / "card", tmp_path / "journal.sqlite")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleCard, Path]:
    """The sample card, and the journal of the packaged models over all of it."""
    folder = tmp_path_factory.mktemp("sheet")
    card = sample_card.build(folder / "card")
    rules = Rules(zone=ZoneInfo("UTC"), cameras=(), max_pixels=200_000_000, gap_s=60, confident=0.53)
    journal = Journal(folder / "journal.sqlite", device="hut-1")
    pipeline = Pipeline(journal, load_detector("default", threads=2), load_classifier("default", threads=2), rules)
    for _ in pipeline.take_all((stamp, True) for stamp in scan.scan(card.folder).photos):
        pass
    pipeline.close_events()
    journal.close()
    return card, folder / "journal.sqlite"


def person(confidence: float = 0.9, box: Box = PERSON) -> Detection:
    return Detection("person", confidence, box)


def cat(confidence: float = 0.9, name: str = "cat") -> Detection:
    return Detection("animal", confidence, CAT, Species(name, 0.8))


def pictures(page: str) -> list[Pixels]:
    """The page's thumbnails, decoded, in order."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    jpegs = [base64.b64decode(text) for text in found]
    assert not any(b"Exif" in jpeg or b"SECRET" in jpeg for jpeg in jpegs)
    return [np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in jpegs]


def detail(pixels: Pixels, box: Box) -> float:
    """Mean strength of what is finer than a few pixels, inside the box: of the Laplacian, gray levels."""
    height, width = pixels.shape[:2]
    part = pixels[round(box.y1 * height) : round(box.y2 * height), round(box.x1 * width) : round(box.x2 * width)]
    gray = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())


def shown_without_care(content: bytes) -> Pixels:
    """The photo's thumbnail with everybody in it."""
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return np.asarray(Image.open(io.BytesIO(thumbnails.encoded(pixels, (480, 320), ()))))


@pytest.mark.parametrize("confidence", [0.9, 0.06])
def test_a_person_beside_an_animal_keeps_no_detail_however_weak_the_box(bench: Bench, confidence: float) -> None:
    bench.record("a.jpg", person(confidence), cat())
    made, page = bench.sheet()
    (blurred,) = pictures(page)
    plain = shown_without_care(photo())
    assert detail(plain, PERSON) > 4, "the photograph is flat anyway: this shows nothing"
    assert detail(blurred, PERSON) < 0.1 * detail(plain, PERSON)
    assert detail(blurred, CAT) > 0.8 * detail(plain, CAT), "the cat is blurred too"
    assert made.blurred == 1 and made.not_shown == 0


def test_two_people_who_look_alike_from_afar_are_one_on_the_sheet(bench: Bench) -> None:
    """What is lost cannot be got back: a face and the same with every pixel of it shuffled nearby give one picture."""
    face = np.ascontiguousarray(data.astronaut())
    other = face.reshape(32, 16, 32, 16, 3)[:, ::-1, :, ::-1].reshape(face.shape)
    bench.record("a.jpg", person())
    bench.record("b.jpg", person(), content=photo(left=other))
    one, two = (thumbnail.astype(int) for thumbnail in pictures(bench.sheet()[1]))
    plain = [shown_without_care(content).astype(int) for content in (photo(), photo(left=other))]
    assert np.abs(plain[0] - plain[1]).max() > 100
    assert np.abs(one - two).max() <= 12


@pytest.mark.parametrize("answer", ["vehicle", "leopard", "empty"])
def test_an_answer_that_renames_a_person_does_not_show_them(bench: Bench, answer: str) -> None:
    bench.record("a.jpg", person(), Detection("vehicle", 0.8, CAT), answer=answer)
    made, page = bench.sheet()
    assert made.blurred == 1
    assert detail(pictures(page)[0], PERSON) < 0.1 * detail(shown_without_care(photo()), PERSON)


def test_a_video_is_shown_by_its_best_frame_with_the_people_of_that_frame_beyond_recognition(
    bench: Bench, tmp_path: Path
) -> None:
    pytest.importorskip("av")
    from tests import videos

    pixels = np.asarray(Image.open(io.BytesIO(photo())))

    def draw(number: int, width: int, height: int) -> Pixels:
        """Everybody comes after two seconds."""
        return cv2.resize(pixels if number >= 50 else np.full_like(pixels, 40), (width, height))

    content = videos.write(tmp_path / "v.avi", "avi-mjpeg", size=(600, 400), draw=draw).read_bytes()
    footage = Footage(25.0, 3.0, (0, 25, 50))
    found = (replace(cat(), frame=50), replace(person(0.1), frame=50), replace(person(0.1, CAT), frame=25))
    bench.record("v.avi", *found, content=content, footage=footage)
    empty = videos.write(tmp_path / "e.avi", "avi-mjpeg", size=(600, 400), frames=25).read_bytes()
    bench.record("e.avi", content=empty, footage=Footage(25.0, 1.0, (0,)))
    bench.record("other.avi", replace(cat(), frame=7), content=content[:-1], footage=footage)
    made, page = bench.sheet()
    shown, nothing = pictures(page)
    plain = shown_without_care(photo())
    assert detail(shown, CAT) > 0.6 * detail(plain, CAT), "another frame, or the people of another frame"
    assert detail(shown, PERSON) < 0.1 * detail(plain, PERSON)
    assert nothing.shape == shown.shape == (320, 480, 3)
    assert "video, 3 s; frame 50" in page and page.count('class="box ') == 2
    assert (made.photos, made.blurred, made.not_shown) == (3, 1, 1) and "frame 7 is not among those" in page
    (bench.card / "v.avi").write_bytes(empty)
    assert "another one has its name" in bench.sheet()[1]


def test_an_empty_photo_of_an_event_with_people_is_not_shown(bench: Bench) -> None:
    event = bench.record("a.jpg", person())
    bench.record("b.jpg", content=photo(seed=1), event=event)
    bench.record("c.jpg", content=photo(seed=2), camera="ford")
    made, page = bench.sheet()
    assert (made.photos, made.not_shown, len(pictures(page))) == (3, 1, 2)
    assert "there are people in this event" in page


def test_another_photo_of_the_same_name_is_not_shown_in_its_place(bench: Bench) -> None:
    bench.record("DCIM/IMG_0001.JPG", person())
    bench.record("DCIM/IMG_0002.JPG", cat(), content=photo(seed=1))
    bench.record("DCIM/IMG_0003.JPG", cat(), content=photo(seed=2))
    (bench.card / "DCIM/IMG_0001.JPG").write_bytes(photo(seed=3))
    (bench.card / "DCIM/IMG_0002.JPG").unlink()
    (bench.card / "DCIM/IMG_0003.JPG").write_bytes(photo(seed=2)[:5000])
    made, page = bench.sheet()
    assert (made.photos, made.not_shown, pictures(page)) == (3, 3, [])
    for name, problem in (("1", "another one has its name"), ("2", "not on this card"), ("3", "ends before")):
        assert re.search(rf'<div class="none">[^<]*{problem}[^<]*</div><figcaption><b>DCIM/IMG_000{name}', page), (
            problem
        )


def test_a_name_is_text_whatever_is_in_it(bench: Bench) -> None:
    evil = "<img src=x onerror=alert(1)>"
    bench.record(f"{evil}/a&b.jpg", cat(name=evil), camera=evil, review=evil)
    bench.record("b.jpg", cat(), content=photo(seed=1), answer=evil)
    bench.fail(f"{evil}.JPG", evil)
    _, page = bench.sheet()
    assert evil not in page and "<script" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 7 and "a&amp;b.jpg" in page


def test_what_was_not_read_stands_there_with_its_reason_and_duplicates_do_not(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.fail("b.jpg", "ends before its picture does")
    journal = Journal(bench.journal, device="hut-1")
    with journal.transaction():
        journal.ledger.add_duplicate(FileStamp(bench.card, PurePosixPath("copy.jpg"), 1, 1), 1)
    journal.close()
    made, page = bench.sheet()
    assert (made.photos, made.failed) == (1, 1)
    assert "<td>b.jpg</td><td>ends before its picture does</td>" in page and "copy.jpg" not in page


def test_only_since_and_limit_choose(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.record("b.jpg", person(), content=photo(seed=1), at_s=NOON + 86_400)
    bench.record("c.jpg", cat(0.3), content=photo(seed=2), review="no species is sure")
    bench.record("d.jpg", content=photo(seed=3))
    bench.record("e.jpg", cat(), content=photo(seed=4), at_s=None)
    bench.fail("f.jpg", "empty file")

    def names(choice: Choice) -> str:
        return "".join(re.findall(r"<(?:b|td)>(\w)\.jpg", bench.sheet(choice)[1]))

    assert names(Choice()) == "abcef"
    assert names(Choice(only="all")) == "abcdef"
    assert names(Choice(only="animals")) == "ae"
    assert names(Choice(only="review")) == "c"
    assert names(Choice(only="failed")) == "f"
    assert names(Choice(since=datetime(2026, 5, 2, 11, 59))) == "bef"
    assert names(Choice(since=datetime(2026, 5, 2, 12, 1))) == "ef"
    made, page = bench.sheet(Choice(limit=2))
    assert (made.photos, made.left_out, made.failed) == (2, 2, 1) and "2 more photos" in page


def test_an_event_stands_under_one_heading_with_what_was_seen_at_once(bench: Bench) -> None:
    both = (cat(), Detection("animal", 0.7, Box(0.1, 0.1, 0.2, 0.2), Species("cat", 0.9)))
    event = bench.record("a.jpg", *both)
    bench.record("b.jpg", cat(), Detection("animal", 0.1, PERSON), content=photo(seed=1), event=event)
    bench.record("c.jpg", cat(name="hare"), content=photo(seed=2), camera="ford")
    made, page = bench.sheet()
    assert made.events == 2
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == ["ridge, 2026-05-01 12:00:00: cat × 2", "ford, 2026-05-01 12:00:00: hare × 1"]
    assert page.count('class="box animal') == 4 and "left:55.00%;top:20.00%;width:40.00%;height:60.00%" in page
    assert ">cat 80%<" in page and ">cat 90%<" in page


def test_nothing_is_written_to_the_card_and_a_failed_sheet_leaves_the_old_one(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.sheet()
    before = {file: file.stat().st_mtime_ns for file in bench.card.rglob("*")}
    with pytest.raises(CamtrapEdgeError, match="lies on the card"):
        contact_sheet.write(bench.journal, bench.card, bench.card / "sheet.html", ALL)
    old = (bench.journal.parent / "sheet.html").read_text(encoding="utf-8")
    with pytest.raises(CamtrapEdgeError, match="is no folder"):
        contact_sheet.write(bench.journal, bench.card / "gone", bench.journal.parent / "sheet.html", ALL)
    with pytest.raises(JournalError):
        contact_sheet.write(bench.card / "a.jpg", bench.card, bench.journal.parent / "sheet.html", ALL)
    assert (bench.journal.parent / "sheet.html").read_text(encoding="utf-8") == old
    assert {file: file.stat().st_mtime_ns for file in bench.card.rglob("*")} == before
    assert not list(bench.journal.parent.glob("*.partial"))


def inner(box: Box) -> Box:
    """Without its rim: a detector's box may be a little smaller than the truth."""
    across, down = 0.15 * (box.x2 - box.x1), 0.15 * (box.y2 - box.y1)
    return Box(box.x1 + across, box.y1 + down, box.x2 - across, box.y2 - down)


def people_of(card: SampleCard) -> dict[str, Sequence[Box]]:
    return {
        str(shot.path): [box for category, box in shot.subjects if category == "person"]
        for shot in card.shots
        if any(category == "person" for category, _ in shot.subjects)
    }


def test_on_the_sample_card_the_models_find_everybody_and_nobody_can_be_recognised(
    sample: tuple[SampleCard, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, journal = sample
    output = tmp_path / "sheet.html"
    arguments = ["sheet", "--journal", str(journal), "--card", str(card.folder), "-o", str(output), "--json"]
    assert cli.main([*arguments, "--only", "all"]) == 0
    told = json.loads(capsys.readouterr().out)
    page = output.read_text(encoding="utf-8")
    assert (told["photos"], told["failed"], told["not_shown"]) == (card.photos, len(card.broken), 0)
    assert all(name in page for name in card.broken)
    names = re.findall(r"<figcaption><b>([^<]+)</b>", page)
    shown = dict(zip(names, pictures(page), strict=True))
    people = people_of(card)
    assert len(people) >= 6
    for name, boxes in people.items():
        plain = shown_without_care((card.folder / name).read_bytes())
        for box in boxes:
            assert detail(shown[name], inner(box)) < 0.15 * detail(plain, inner(box)), name
    assert "domestic cat" in page


def test_a_browser_shows_the_page_without_asking_anybody(
    sample: tuple[SampleCard, Path], tmp_path: Path, browser: Browser
) -> None:
    card, journal = sample
    output = tmp_path / "sheet.html"
    made = contact_sheet.write(journal, card.folder, output, Choice())
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(output.as_uri())
    loaded = page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth > 0).length")
    inside = page.evaluate(
        "[...document.querySelectorAll('.box')].every(b => { const a = b.getBoundingClientRect(),"
        " p = b.parentElement.getBoundingClientRect();"
        " return a.left >= p.left - 1 && a.right <= p.right + 1 && a.top >= p.top - 1"
        " && a.bottom <= p.bottom + 1 })"
    )
    headings = page.get_by_role("heading", level=2).count()
    paper = page.pdf(format="A4")
    page.close()
    assert [url for url in asked if not url.startswith("data:")] == [output.as_uri()] and complaints == []
    assert loaded == made.photos > 30 and inside
    assert headings == made.events + 1 and paper.startswith(b"%PDF")


def test_the_command_takes_card_and_journal_from_the_settings(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.record("a.jpg", cat())
    (tmp_path / "data").mkdir()
    shutil.copyfile(bench.journal, tmp_path / "data" / "journal.sqlite")
    config = tmp_path / "device.yaml"
    config.write_text("device: hut-1\ndata: data\ncards: {root: card}\ntime_zone: Africa/Nairobi\n")
    assert cli.main(["sheet", "-c", str(config), "-o", str(tmp_path / "s.html"), "--since", "2026-05-01"]) == 0
    assert "1 photos of 1 events" in capsys.readouterr().out
    assert cli.main(["sheet", "--journal", str(bench.journal), "-o", str(tmp_path / "t.html")]) == 1
    assert "--card" in capsys.readouterr().err
