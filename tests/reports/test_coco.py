from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reports.conftest import Rich

coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed (the extra 'test')")


@pytest.fixture(scope="module")
def file(rich: Rich, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich.report("coco", tmp_path_factory.mktemp("coco") / "coco.json")


@pytest.fixture(scope="module")
def loaded(file: Path) -> Any:
    return coco.COCO(str(file))


def named(loaded: Any, path: str) -> list[str]:
    return [loaded.cats[found["category_id"]]["name"] for found in loaded.imgToAnns[path]]


def test_pycocotools_finds_every_file_but_second_copies(loaded: Any, rich: Rich) -> None:
    assert set(loaded.imgs) == set(rich.paths) - {"copies/2.JPG"}
    assert set(loaded.getImgIds(catIds=loaded.getCatIds(catNms=["cat family"]))) == {"mixed/1.JPG"}
    # Every annotation's image and category are there, and boxes can be drawn.
    assert len(loaded.loadAnns(loaded.getAnnIds())) == len(loaded.anns)
    assert all(
        found["image_id"] in loaded.imgs and found["category_id"] in loaded.cats for found in loaded.anns.values()
    )


def test_boxes_are_absolute_pixels_inside_the_picture(loaded: Any) -> None:
    (found,) = loaded.imgToAnns["burst/2.JPG"]
    assert found["bbox"] == [64.0, 96.0, 160.0, 192.0] and found["area"] == 160 * 192
    boxes = [(found["bbox"], loaded.imgs[found["image_id"]]) for found in loaded.anns.values() if "bbox" in found]
    assert boxes
    for (x, y, width, height), image in boxes:
        assert x >= 0 and y >= 0 and width > 0 and height > 0
        assert x + width <= image["width"] and y + height <= image["height"]


def test_an_empty_photo_has_the_empty_category_and_a_failure_is_corrupt(loaded: Any) -> None:
    for path in ("mixed/3.JPG", "burst/3.JPG", "answered/empty.JPG", "video/empty.mov"):
        assert named(loaded, path) == ["empty"], path
    assert loaded.cats[0]["name"] == "empty"
    corrupt = {path for path, image in loaded.imgs.items() if image.get("corrupt")}
    assert corrupt == {"copies/3.JPG", "failed/empty.JPG", "video/broken.MP4"}
    assert not any(loaded.imgToAnns[path] for path in corrupt)


def test_a_sequence_numbers_its_photos(loaded: Any) -> None:
    burst = [loaded.imgs[f"burst/{number}.JPG"] for number in (1, 2, 3)]
    assert len({image["seq_id"] for image in burst}) == 1
    assert [(image["frame_num"], image["seq_num_frames"]) for image in burst] == [(0, 3), (1, 3), (2, 3)]
    sizes = Counter(image["seq_id"] for image in loaded.imgs.values() if "seq_id" in image)
    assert all(image["seq_num_frames"] == sizes[image["seq_id"]] for image in loaded.imgs.values() if "seq_id" in image)


def test_what_a_person_said_is_marked_even_without_a_box(loaded: Any) -> None:
    (unseen,) = loaded.imgToAnns["answered/unseen.JPG"]
    assert unseen["human"] and "bbox" not in unseen and named(loaded, "answered/unseen.JPG") == ["zebra"]
    assert named(loaded, "answered/person.JPG") == ["person"]


def test_a_video_is_one_image_whose_annotations_tell_their_frames(loaded: Any) -> None:
    assert loaded.imgs["video/whole.MP4"]["frame_rate"] == 30.0
    assert [found["frame_number"] for found in loaded.imgToAnns["video/whole.MP4"]] == [0, 0, 30]


def test_a_time_is_there_only_where_it_is_known(loaded: Any) -> None:
    assert loaded.imgs["burst/1.JPG"]["datetime"] == "2026-05-29 01:26:41"
    assert "datetime" not in loaded.imgs["untimed/1.JPG"]
