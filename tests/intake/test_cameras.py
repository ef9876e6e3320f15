from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from edge_runtime.intake.cameras import MAX_LENGTH, camera_name
from edge_runtime.settings import Camera
from edge_runtime.values import Capture


def capture(make: str = "", model: str = "", serial: str = "") -> Capture:
    return Capture(None, "unknown", make, model, serial, 100, 100)


def name(path: str, *cameras: Camera, make: str = "", model: str = "", serial: str = "") -> str:
    return camera_name(PurePosixPath(path), capture(make, model, serial), cameras)


@pytest.mark.parametrize(
    ("path", "camera"),
    [
        ("CAM07/DCIM/100MEDIA/IMG_1.JPG", "CAM07"),
        ("north/CAM07/DCIM/101RECNX/IMG_1.JPG", "north/CAM07"),
        ("CAM07/dcim/IMG_1.JPG", "CAM07"),
        ("CAM07/100MEDIA/IMG_1.JPG", "CAM07"),
        ("waterhole/IMG_1.JPG", "waterhole"),
        ("DCIM/100MEDIA/IMG_1.JPG", "camera"),
        ("100_BTCF/IMG_1.JPG", "camera"),
        ("IMG_1.JPG", "camera"),
    ],
)
def test_the_folders_that_people_made_name_the_camera(path: str, camera: str) -> None:
    assert name(path) == camera


def test_a_card_without_folders_of_people_is_named_by_make_and_model() -> None:
    assert name("DCIM/100RECNX/1.JPG", make="RECONYX", model="HP2X") == "RECONYX HP2X"
    assert name("1.JPG", make="Canon", model="Canon EOS 50D", serial="77") == "Canon EOS 50D 77"
    assert name("1.JPG", serial="77") == "77"


def test_two_cameras_in_one_folder_stay_two() -> None:
    assert name("copied/1.JPG", serial="A1") == "copied A1"
    assert name("copied/2.JPG", serial="B2") == "copied B2"


def test_settings_name_a_camera_by_its_serial_or_a_folder_above_the_photo() -> None:
    by_serial = Camera(name="Ford", serial="BHP233159")
    by_folder = Camera(name="Ridge", folder="north/*")
    assert name("any/1.jpg", by_serial, by_folder, serial="BHP233159") == "Ford"
    assert name("north/a/DCIM/100MEDIA/1.jpg", by_serial, by_folder) == "Ridge"
    assert name("NORTH/a/1.jpg", by_serial, by_folder) == "Ridge"
    assert name("south/a/1.jpg", by_serial, by_folder) == "south/a"
    assert name("waterhole/DCIM/100MEDIA/1.jpg", Camera(name="Water", folder="waterhole/")) == "Water"


def test_the_first_matching_entry_of_the_settings_counts() -> None:
    first, second = Camera(name="one", folder="a*"), Camera(name="two", folder="ab")
    assert name("ab/1.jpg", first, second) == "one"
    assert name("ab/1.jpg", second, first) == "two"


def test_an_empty_serial_in_a_photo_matches_no_camera_of_the_settings() -> None:
    assert name("a/1.jpg", Camera(name="x", serial="1")) == "a"


def test_long_names_are_cut_to_forty_characters_and_stay_distinct() -> None:
    one, two = name("a" * 60 + "1/1.jpg"), name("a" * 60 + "2/1.jpg")
    assert len(one) == len(two) == MAX_LENGTH
    assert one != two
    assert one == name("a" * 60 + "1/2.jpg")
    assert name("b" * MAX_LENGTH + "/1.jpg") == "b" * MAX_LENGTH


def test_names_that_are_no_text_become_text_and_stay_distinct() -> None:
    one, two = name("caf\udce9/1.jpg"), name("caf\udce8/1.jpg")
    assert one != two
    assert one.encode("utf-8").startswith(b"caf")
    assert "\n" not in name("line\nbreak/1.jpg")
