from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.models import allowed

NAMES = ("lynx", "Grant's gazelle", "cat family")


def write(folder: Path, text: str) -> Path:
    file = folder / "species.txt"
    file.write_text(text, encoding="utf-8")
    return file


def test_names_stand_one_a_line_with_comments_and_empty_lines_between(tmp_path: Path) -> None:
    text = "\ufeff# the park's list\n\nlynx  # rare\r\nGrant's gazelle\ncat family\nlynx\n"
    assert allowed.read(write(tmp_path, text), NAMES) == {"lynx", "Grant's gazelle", "cat family"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("lynx\nlinx\n", 2, "knows no 'linx' .*did you mean 'lynx'"),
        ("# list\nGRANTS GAZELLE\n", 2, 'did you mean "Grant\'s gazelle"'),
        ("quagga\n", 1, "knows no 'quagga'"),
        ("# nothing\n\n", None, "allows nothing"),
    ],
)
def test_a_name_that_the_classifier_cannot_say_is_an_error_with_its_line_and_what_is_near(
    tmp_path: Path, text: str, line: int | None, says: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as error:
        allowed.read(file, NAMES)
    assert (error.value.file, error.value.line) == (file, line)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        allowed.read(tmp_path / "nothing.txt", NAMES)
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ConfigError, match=r"picture\.jpg"):
        allowed.read(tmp_path / "picture.jpg", NAMES)
