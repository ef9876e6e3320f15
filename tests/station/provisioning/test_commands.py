"""`edge-station broker`, `provision`, `rotate`, `revoke` and `devices` as a person runs them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_runtime import settings
from edge_runtime.station.cli import main
from edge_runtime.station.provisioning import broker_files, device_folder
from edge_runtime.station.provisioning.errors import ProvisioningError
from edge_runtime.station.provisioning.office import Office
from edge_runtime.station.provisioning.values import Places, Wanted
from tests.station.provisioning.house import CONNECTED, DEPLOYED, House, door, knock

ODD_NAMES = ["", "Hut", "../hut", "a/b", "+", "#", "hut 1", "hütte", "hut\n", "$SYS", "a" * 33, "_hut"]
MISTAKEN_FOR_NUMBERS = ["0815", "1e3", "null", "true", "0x1f", "2026-01-01"]


def office(house: House, now: datetime) -> Office:
    """The house's office with another clock."""
    places = Places(house.ca, house.broker_folder, house.folder / "data" / "broker-password.txt")
    return Office(places, "station", lambda: now)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_the_devices_settings_can_be_run_as_they_are(house: House) -> None:
    folder = house.provision("hut-1", "--cards", "/mnt/card: #1", "--host", "10.0.0.7", "--host", "fe80::1")
    made = settings.read_device(folder / "device.yaml")
    assert (made.device, made.cards.root, made.time_zone) == ("hut-1", "/mnt/card: #1", "Africa/Nairobi")
    assert (made.uplink.host, made.uplink.port) == ("10.0.0.7", house.device_port)
    assert (made.uplink.user, made.uplink.password_file) == (None, None)
    assert made.uplink.tls is not None
    named = (made.uplink.tls.ca, made.uplink.tls.certificate, made.uplink.tls.key)
    assert named == tuple(str(folder / name) for name in ("ca.crt", "device.crt", "device.key"))


@pytest.mark.parametrize("name", MISTAKEN_FOR_NUMBERS)
def test_a_name_that_yaml_would_take_for_something_else_stays_a_name(house: House, name: str) -> None:
    assert settings.read_device(house.provision(name) / "device.yaml").device == name


@pytest.mark.parametrize("name", [*ODD_NAMES, "edge-station", "edge-station-headquarters"])
def test_a_name_that_is_none_is_refused_and_nothing_is_written(
    house: House, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(house.folder)
    assert house.run("provision", name, "-o", str(house.folder / "out")) == 1
    assert "is no name for a device" in capsys.readouterr().err
    assert everything(house.folder) == before


@pytest.mark.parametrize("host", ["", "a b", "-x", "a..b", "x/y", "ho\nst", "256.1.1.1:1", "*.lan"])
def test_a_host_that_is_none_is_refused(house: House, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.run("provision", "hut-1", f"--host={host}", "-o", str(house.folder / "out")) == 1
    assert "neither a host's name nor an IP address" in capsys.readouterr().err
    assert not (house.folder / "out").exists()


def test_letting_in_a_device_twice_is_refused_and_changes_nothing(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.provision("hut-1")
    before = everything(house.folder)
    assert house.run("provision", "hut-1", "-o", str(house.folder / "out")) == 1
    said = capsys.readouterr().err
    assert "rotate" in said
    assert "--replace" in said
    assert everything(house.folder) == before


def test_letting_in_a_device_anew_is_possible_where_it_is_asked_for(open_house: House) -> None:
    first = door(open_house.provision("hut-1"))
    assert knock(first) == CONNECTED
    second = open_house.provision("hut-1", "--replace", "--reload")
    assert knock(door(second)) == CONNECTED
    assert knock(first) != CONNECTED


@pytest.mark.parametrize("zipped", [False, True])
def test_what_lies_where_the_folder_should_go_is_never_overwritten(
    house: House, zipped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = house.folder / ("out.zip" if zipped else "out")
    mine.write_text("mine")
    assert house.run("provision", "hut-1", "-o", str(house.folder / "out"), *(["--zip"] if zipped else [])) == 1
    assert "is there already" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert house.provision("hut-1"), "and the device is not taken for one that has a certificate"


def test_the_list_shows_how_every_device_stands(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(timezone.utc)
    house.provision("valid")
    house.provision("soon", "--days", "20")
    house.provision("lost")
    assert house.run("revoke", "lost") == 0
    early = datetime(2026, 1, 5, tzinfo=timezone.utc)
    office(house, early).provision("old", device_folder.Settings("UTC"), Wanted(house.folder / "old", days=10))
    capsys.readouterr()
    assert house.run("devices", "--json") == 0
    listed = {each["device"]: each for each in json.loads(capsys.readouterr().out)}
    states = {name: each["state"] for name, each in listed.items()}
    assert states == {"valid": "valid", "soon": "valid", "lost": "revoked", "old": "expired"}
    assert listed["old"]["expires"] == "2026-01-15T00:00:00Z"
    assert listed["soon"]["days_left"] in (19, 20)
    assert house.run("devices") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["lost", "old", "soon", "valid"]
    assert lines[2][2:4] == ["until", f"{now + timedelta(days=20):%Y-%m-%d},"]
    assert lines[2][-4:] == ["left:", "edge-station", "rotate", "soon"]


def test_no_certificate_outlives_its_authority(house: House) -> None:
    late = datetime.now(timezone.utc) + timedelta(days=3000)
    carried = office(house, late).provision("hut-1", device_folder.Settings("UTC"), Wanted(house.folder / "out"))
    assert carried.certificate.expires < late + timedelta(days=700)
    after = office(house, late + timedelta(days=700))
    with pytest.raises(ProvisioningError, match="authority ended"):
        after.rotate("hut-1", Wanted(house.folder / "more"))


def test_nothing_is_dated_by_a_clock_that_nobody_has_set(house: House) -> None:
    with pytest.raises(ProvisioningError, match="set it first"):
        office(house, datetime(1970, 1, 1, tzinfo=timezone.utc)).prepare()


def test_a_device_whose_clock_stands_in_1970_takes_the_brokers_certificate(house: House) -> None:
    folder = house.provision("hut-1")
    command = ["openssl", "verify", "-attime", "86400", "-CAfile", str(folder / "ca.crt")]
    assert subprocess.run([*command, str(house.broker_folder / "broker.pem")], check=False).returncode == 0
    assert subprocess.run([*command, str(folder / "device.crt")], check=False).returncode == 0


def test_a_devices_certificate_cannot_play_the_broker(house: House) -> None:
    folder = house.provision("hut-1")
    command = ["openssl", "verify", "-CAfile", str(folder / "ca.crt"), "-purpose"]
    device, broker = str(folder / "device.crt"), str(house.broker_folder / "broker.pem")
    assert subprocess.run([*command, "sslclient", device], check=False).returncode == 0
    assert subprocess.run([*command, "sslserver", device], check=False).returncode != 0
    assert subprocess.run([*command, "sslserver", broker], check=False).returncode == 0
    assert subprocess.run([*command, "sslclient", broker], check=False).returncode != 0


def test_nothing_is_made_anew_that_is_good(house: House) -> None:
    house.provision("hut-1")
    before = everything(house.folder)
    assert house.run(*house.set_up) == 0
    assert everything(house.folder) == before


def test_what_mosquitto_reads_comes_back_where_it_was_lost_with_all_that_is_revoked(open_house: House) -> None:
    lost, other = door(open_house.provision("hut-1")), door(open_house.provision("hut-2"))
    assert open_house.run("revoke", "hut-1") == 0
    shutil.rmtree(open_house.broker_folder)
    assert open_house.run(*open_house.set_up) == 0
    open_house.broker.restart()
    assert (knock(lost), knock(other)) == ("SSLV3_ALERT_CERTIFICATE_REVOKED", CONNECTED)


def test_a_lost_authority_is_not_silently_replaced(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.provision("hut-1")
    (house.ca / "ca.pem").unlink()
    assert house.run("provision", "hut-2", "-o", str(house.folder / "out")) == 1
    assert "devices rely on it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_device_that_nobody_knows_is_named_with_those_that_are_known(
    house: House, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    house.provision("hut-1")
    assert house.run(command, "hut-2") == 1
    said = capsys.readouterr().err
    assert "no device 'hut-2' (known: hut-1)" in said
    assert said.count("\n") == 1


def test_without_a_running_mosquitto_a_reload_says_what_is_done_and_what_is_not(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.provision("hut-1")
    assert house.run("revoke", "hut-1", "--reload") == 1
    assert "what was asked for is done" in capsys.readouterr().err
    assert house.run("devices") == 0
    assert "revoked" in capsys.readouterr().out


def test_the_process_of_a_stale_pid_file_is_left_alone(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (house.folder / "mosquitto" / "mosquitto.pid").write_text(str(sleeper.pid))
        assert house.run("broker", "--reload") == 1
        assert "is no mosquitto" in capsys.readouterr().err
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_set_up_tells_what_station_yaml_lacks(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.run("broker") == 0
    assert "station.yaml needs" not in capsys.readouterr().out
    house.config.write_text("data: data\n")
    assert house.run("broker") == 0
    said = capsys.readouterr().out
    assert "user: edge-station" in said
    assert str(house.folder / "data" / "broker-password.txt") in said


def test_the_first_set_up_without_a_host_says_what_to_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "station.yaml"
    config.write_text("data: data\n")
    assert main(["broker", "-c", str(config), "--broker-folder", str(tmp_path / "edge")]) == 1
    assert "--host" in capsys.readouterr().err


def test_commands_at_the_same_time_take_turns(house: House) -> None:
    names = [f"hut-{number}" for number in range(4)]
    program = [sys.executable, "-m", "edge_runtime.station.cli"]
    running = [
        subprocess.Popen([*program, *house.arguments("provision", name, "-o", str(house.folder / name))])
        for name in names
    ]
    assert [each.wait(timeout=60) for each in running] == [0] * len(names)
    known = json.loads((house.ca / "certificates.json").read_text())["certificates"]
    assert sorted(each["device"] for each in known) == names
    assert all(each["delivered"] and not each["revoked"] for each in known)


def test_the_deployed_configuration_is_used_as_it_is_where_nothing_else_is_asked_for() -> None:
    text = (DEPLOYED / "edge.conf").read_text()
    assert broker_files.render(text) == text


def test_a_file_that_is_no_edge_conf_is_not_installed(house: House, tmp_path: Path) -> None:
    (tmp_path / "edge.conf").write_text("listener 1883\nallow_anonymous true\n")
    (tmp_path / "edge.acl").write_text("")
    with pytest.raises(ProvisioningError, match=r"no edge\.conf"):
        broker_files.install(tmp_path, tmp_path / "conf.d", folder=house.broker_folder)


def test_mosquittos_own_tool_writes_the_same_for_the_same_password_and_salt(tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian: apt-get install mosquitto)")
    file = tmp_path / "passwords"
    file.write_text("edge-station:secret\n")
    assert subprocess.run([tool, "-U", str(file)], check=False).returncode == 0
    theirs = file.read_text().strip().removeprefix("edge-station:")
    _, _, iterations, salt, _ = theirs.split("$")
    assert broker_files.hash_password("secret", base64.b64decode(salt), int(iterations)) == theirs


@pytest.mark.parametrize("command", ["broker", "provision", "rotate", "revoke", "devices"])
def test_the_help_of_every_command_ends_in_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert f"edge-station {command} " in said.split("examples:")[1]
