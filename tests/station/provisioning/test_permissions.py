"""Who may read what `edge-station` writes."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.station.device import eventually
from tests.station.provisioning.house import CONNECTED, House, door, knock

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def open_mask() -> Iterator[None]:
    """The widest permissions that a process can give by default."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def test_keys_are_private_whatever_the_umask(house: House, open_mask: None) -> None:
    shutil.rmtree(house.folder / "data")
    shutil.rmtree(house.broker_folder)
    assert house.run(*house.set_up) == 0
    folder = house.provision("hut-1")
    assert {each.name: mode(each) for each in folder.iterdir()} == {
        "device.yaml": "0644",
        "ca.crt": "0644",
        "device.crt": "0644",
        "device.key": "0600",
    }
    assert mode(folder) == "0700"
    assert mode(house.ca) == "0700"
    assert {mode(each) for each in house.ca.iterdir()} == {"0600"}
    assert mode(house.folder / "data" / "broker-password.txt") == "0600"
    assert mode(house.broker_folder) == "0750"
    closed = {each.name: mode(each) for each in house.broker_folder.iterdir()}
    assert closed == {
        "ca.crt": "0644",
        "broker.pem": "0640",
        "revoked.pem": "0640",
        "passwords": "0640",
        "acl": "0640",
    }


def test_a_strict_umask_takes_nothing_from_mosquitto(house: House) -> None:
    before = os.umask(0o077)
    try:
        house.provision("hut-1")
        assert house.run("revoke", "hut-1") == 0
    finally:
        os.umask(before)
    assert mode(house.broker_folder / "revoked.pem") == "0640"


@root_only
def test_what_root_makes_belongs_to_whom_the_folder_belongs(house: House) -> None:
    os.chown(house.folder / "data", 12345, 12345)
    os.chown(house.broker_folder, 23456, 23456)
    shutil.rmtree(house.ca)
    for each in house.broker_folder.iterdir():
        each.unlink()
    (house.folder / "data" / "broker-password.txt").unlink()
    assert house.run(*house.set_up) == 0
    house.provision("hut-1")
    station = [house.ca, *house.ca.iterdir(), house.folder / "data" / "broker-password.txt"]
    assert {(each.stat().st_uid, each.stat().st_gid) for each in station} == {(12345, 12345)}
    assert {each.stat().st_uid for each in house.broker_folder.iterdir()} == {23456}


def test_a_zip_file_keeps_the_permissions(house: House) -> None:
    assert house.run("provision", "hut-1", "--zip", "-o", str(house.folder / "hut-1")) == 0
    file = house.folder / "hut-1.zip"
    assert mode(file) == "0600"
    with zipfile.ZipFile(file) as archive:
        modes = {entry.filename: f"{(entry.external_attr >> 16) & 0o777:04o}" for entry in archive.infolist()}
    assert modes == {
        "hut-1/device.yaml": "0644",
        "hut-1/ca.crt": "0644",
        "hut-1/device.crt": "0644",
        "hut-1/device.key": "0600",
    }


@pytest.fixture
def public_house() -> Iterator[House]:
    """A station whose broker runs as mosquitto's own user, in a folder that this user may enter."""
    try:
        pwd.getpwnam("mosquitto")
    except KeyError:
        pytest.skip("there is no user mosquitto (Debian: apt-get install mosquitto)")
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-") as folder:
        Path(folder).chmod(0o755)
        made = House(Path(folder) / "house", user="mosquitto")
        with made.broker:
            yield made


@root_only
def test_mosquitto_as_its_own_user_can_read_all_of_it_at_its_start_and_again_later(public_house: House) -> None:
    lost, other = door(public_house.provision("hut-1")), door(public_house.provision("hut-2"))
    assert psutil.Process(public_house.broker.pid).username() == "mosquitto"
    assert (knock(lost), knock(other)) == (CONNECTED, CONNECTED)
    assert public_house.run("revoke", "hut-1", "--reload") == 0
    eventually(lambda: knock(lost) != CONNECTED, "the list was read again")
    assert knock(other) == CONNECTED
