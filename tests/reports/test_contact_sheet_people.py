"""On a contact sheet nobody can be recognised, whatever the journal says of them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from edge_runtime.values import Detection, Footage, Pixels
from tests.reports.sheet_bench import CAT, PERSON, Bench, cat, person, photo
from tests.reports.sheet_pictures import detail, pictures, shown_without_care


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
