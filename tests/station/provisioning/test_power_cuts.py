"""A power cut between any two steps of a command: kill -9 before each file takes its place, and what is left then.

Every step that counts ends in a rename. Python tells an audit hook of each one before it happens, so a process of its
own can be killed there, without a line in the program for it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.station.provisioning.house import CONNECTED, House, door, knock, restore, snapshot, with_keys_of

REVOKED = "SSLV3_ALERT_CERTIFICATE_REVOKED"
KILLED_AT = """\
import os, signal, sys
left = int(sys.argv.pop(1))
def hook(event, arguments):
    global left
    if event == "os.rename":
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
sys.addaudithook(hook)
from edge_runtime.station.cli import main
sys.exit(main(sys.argv[1:]))
"""
MOST_STEPS = 30


def killed_at_every_step(house: House, before: Path, *command: str) -> Iterator[int]:
    """Run the command once for each of its steps, from the same state, and kill it there; yields the step.

    Ends after the first run that came to its end.
    """
    snapshot(house, before)
    for step in range(MOST_STEPS):
        restore(house, before)
        ended = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(step), *house.arguments(*command)], capture_output=True, check=False
        )
        if ended.returncode == 0:
            assert step > 0, "no step was seen: the test would prove nothing"
            return
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        yield step
    raise AssertionError("more steps than expected")


def states(house: House, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert house.run("devices", "--json") == 0
    return {each["device"]: each["state"] for each in json.loads(capsys.readouterr().out)}


def leftovers(house: House) -> list[Path]:
    return [each for folder in (house.ca, house.broker_folder) for each in folder.glob(".*")]


def test_a_cut_during_the_set_up_leaves_a_house_that_the_next_set_up_completes(house: House, tmp_path: Path) -> None:
    for name in ("data", "mosquitto/edge", "mosquitto/conf.d"):
        subprocess.run(["rm", "-r", str(house.folder / name)], check=True)
    (house.folder / "mosquitto" / "conf.d").mkdir()
    steps = 0
    for _ in killed_at_every_step(house, tmp_path / "before", *house.set_up):
        steps += 1
        assert house.run(*house.set_up) == 0
        folder = house.provision("hut-1")
        with house.broker:
            assert knock(door(folder)) == CONNECTED
        assert leftovers(house) == []
    assert steps >= 8, "authority, register, certificates, list, two passwords, rules, configuration"


def test_a_cut_while_a_device_is_let_in_leaves_no_key_that_could_not_be_refused(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = house.folder / "first"
    for _ in killed_at_every_step(house, tmp_path / "before", "provision", "hut-1", "-o", str(out)):
        found = states(house, capsys).get("hut-1", "never heard of")
        assert found in ("never heard of", "unfinished", "valid")
        assert found != "valid" or out.is_dir(), "what is listed as valid was delivered"
        assert not out.exists() or {each.name for each in out.iterdir()} >= {"device.yaml", "device.crt", "device.key"}
        again = house.provision("hut-1", *(["--replace"] if found == "valid" else []))
        with house.broker:
            assert knock(door(again)) == CONNECTED
            assert not out.exists() or knock(door(out)) == REVOKED
        assert states(house, capsys) == {"hut-1": "valid"}
        assert leftovers(house) == []


def test_a_cut_during_a_rotation_never_leaves_a_device_without_a_key_that_is_good(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = house.provision("hut-1"), house.folder / "new"
    for _ in killed_at_every_step(house, tmp_path / "before", "rotate", "hut-1", "-o", str(new)):
        assert states(house, capsys) == {"hut-1": "valid"}
        with house.broker:
            old_answer = knock(door(old))
            new_answer = knock(with_keys_of(door(old), new)) if new.is_dir() else "not there"
        assert CONNECTED in (old_answer, new_answer)
        newest = house.rotate("hut-1")
        with house.broker:
            assert knock(with_keys_of(door(old), newest)) == CONNECTED
            assert knock(door(old)) == REVOKED
            assert not new.is_dir() or knock(with_keys_of(door(old), new)) == REVOKED


def test_a_cut_during_a_revocation_leaves_a_list_that_says_what_the_broker_does(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, other = house.provision("hut-1"), house.provision("hut-2")
    seen = set()
    for _ in killed_at_every_step(house, tmp_path / "before", "revoke", "hut-1"):
        with house.broker:
            answer = knock(door(lost))
        seen.add(answer)
        assert states(house, capsys) == {"hut-1": {CONNECTED: "valid", REVOKED: "revoked"}[answer], "hut-2": "valid"}
        assert house.run("revoke", "hut-1") == 0
        with house.broker:
            assert (knock(door(lost)), knock(door(other))) == (REVOKED, CONNECTED)
    assert seen == {CONNECTED, REVOKED}, "cuts before and after the list took its place were both seen"
