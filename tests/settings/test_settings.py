from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import settings
from edge_runtime.errors import ConfigError

DEVICE = """\
device: camera-hut-1
data: data
cards:
  root: /media
time_zone: Africa/Nairobi
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "device.yaml"
    file.write_text(text)
    return file


def test_a_short_file_gets_sensible_defaults(tmp_path: Path) -> None:
    read = settings.read_device(write(tmp_path, DEVICE))
    assert read.events.rule == "mean-log" and read.models.allowed is None
    assert read.events.gap_seconds == 60 and read.uplink.max_payload == 340 and read.models.detector == "default"


@pytest.mark.parametrize(("said", "meant"), [("", "off"), ("prefilter: off\n", "off"), ("prefilter: burst\n", "burst")])
def test_the_prefilter_is_off_unless_asked_for_and_off_is_a_word(tmp_path: Path, said: str, meant: str) -> None:
    assert settings.read_device(write(tmp_path, DEVICE + said)).prefilter == meant


def test_nobody_is_identified_unless_an_embedder_is_named(tmp_path: Path) -> None:
    assert settings.read_device(write(tmp_path, DEVICE)).models.embedder == "none"
    named = settings.read_device(write(tmp_path, DEVICE + "models:\n  embedder: bundles/miewid\n"))
    assert named.models.embedder == str(tmp_path / "bundles/miewid")


def test_relative_paths_count_from_the_files_own_folder(tmp_path: Path) -> None:
    text = (
        DEVICE
        + "models:\n  detector: bundles/mine\n  allowed: park.txt\nuplink:\n  user: me\n  password_file: secret\n"
    )
    read = settings.read_device(write(tmp_path, text))
    assert read.data == str(tmp_path / "data")
    assert read.cards.root == "/media"
    assert read.models.detector == str(tmp_path / "bundles/mine") and read.models.classifier == "default"
    assert read.uplink.password_file == str(tmp_path / "secret")
    assert read.models.allowed == str(tmp_path / "park.txt")


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (DEVICE + "evnets:\n  gap_seconds: 5\n", 7, "evnets", "did you mean 'events'"),
        (DEVICE + "events:\n  gap_seconds: soon\n", 7, "events.gap_seconds", "int"),
        (DEVICE + "events:\n  gap_seconds: 0\n", 7, "events.gap_seconds", ">= 1"),
        (DEVICE + "models:\n  decode: half\n", 7, "models.decode", "'half'"),
        (DEVICE + "events:\n  rule: mean\n", 7, "events.rule", "'mean'"),
        (DEVICE + "prefilter: on\n", 6, "prefilter", "'on'"),
        (DEVICE + "uplink:\n  port: 70000\n", 7, "uplink.port", "<= 65535"),
        (DEVICE.replace("Africa/Nairobi", "Africa/Nowhere"), 5, "time_zone", "no time zone"),
        (DEVICE.replace("camera-hut-1", "Camera Hut"), 1, "device", "pattern|regex"),
        (DEVICE.replace("camera-hut-1", '"camera-hut-1\\n"'), 1, "device", "pattern|regex"),
        (DEVICE + "cameras:\n  - name: a\n", 7, "cameras.0", "either 'folder' or 'serial'"),
        (DEVICE + "uplink:\n  password_file: x\n", 7, "uplink.password_file", "user"),
        (DEVICE + "uplink:\n  tls:\n    ca: c\n    key: k\n", 8, "uplink.tls", "go together"),
        (DEVICE + "device: twice\n", 6, "device", "stands twice, first on line 1"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, text: str, line: int, key: str, says: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as caught:
        settings.read_device(file)
    assert (caught.value.file, caught.value.line, caught.value.key) == (file, line, key)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="time_zone"):
        settings.read_device(write(tmp_path, DEVICE.replace("time_zone: Africa/Nairobi\n", "")))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        settings.read_device(tmp_path / "nothing.yaml")


def test_a_bomb_of_aliases_is_refused_before_it_grows(tmp_path: Path) -> None:
    bomb = "a: &a [1,1]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20)
    )
    with pytest.raises(ConfigError, match="aliases"):
        settings.read_device(write(tmp_path, bomb))


def test_the_station_file_is_checked_alike(tmp_path: Path) -> None:
    file = tmp_path / "station.yaml"
    file.write_text("data: store\nweb:\n  port: nine\n")
    with pytest.raises(ConfigError) as caught:
        settings.read_station(file)
    assert (caught.value.line, caught.value.key) == (3, "web.port")


def test_the_examples_in_deploy_are_read_as_they_stand() -> None:
    deploy = Path(__file__).resolve().parents[2] / "deploy"
    device = settings.read_device(deploy / "device.yaml")
    assert device.uplink.tls is not None and device.uplink.tls.ca == str(deploy / "ca.crt")
    assert settings.read_station(deploy / "station.yaml").web.port == 8080
