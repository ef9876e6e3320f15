"""Cards that are pulled out and disks that die, under the scan and under the daemon: with real file systems."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from edge_runtime import status
from edge_runtime.device import disks
from edge_runtime.intake import identity
from edge_runtime.intake.scan import Problem, scan
from edge_runtime.settings import read_device
from tests import card_plan
from tests.deploy.filesystems import Loop, run
from tests.deploy.listening import Listener


def test_a_card_pulled_out_of_a_reader_that_stays_is_a_problem_of_its_own_and_no_bad_photos(
    loop: Loop, tmp_path: Path
) -> None:
    cards = tmp_path / "cards"
    for name in ("A", "B"):
        (cards / name).mkdir(parents=True)
        device = loop()
        run("mount", device, cards / name)
        (cards / name / "IMG_1.JPG").write_bytes(os.urandom(200_000))
    stamps = scan(cards).photos
    assert [str(stamp.path) for stamp in stamps] == ["A/IMG_1.JPG", "B/IMG_1.JPG"]
    run("mount", "-o", "remount,ro", cards / "B")
    os.truncate(tmp_path / "card-1.img", 0)
    run("losetup", "--set-capacity", device)
    found = scan(cards)
    assert [str(stamp.path) for stamp in found.photos] == ["A/IMG_1.JPG"]
    assert found.problems == (Problem(cards / "B", "pulled out while it was mounted"),)
    assert len(identity.read(stamps[0])) == 200_000


def test_an_ext4_that_the_kernel_stopped_is_told_to_be_so(loop: Loop, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    run("mount", loop(), folder)
    assert disks.unwritable(folder / "data") is None
    run("mount", "-o", "remount,abort", folder)
    found = disks.unwritable(folder / "data")
    assert found is not None and str(folder) in found


# A stick that is pulled while it is mounted: the mount stays, the device has left sysfs.
PULLED = """
import sys
from pathlib import Path
from edge_runtime.errors import CardGoneError, PhotoError
from edge_runtime.intake import identity
from edge_runtime.intake.scan import scan
import subprocess

root = Path(sys.argv[1])
stamps = scan(root).photos
assert len(stamps) == 2, stamps
subprocess.run(["mount", "--bind", sys.argv[2], "/sys/dev/block"], check=True)
found = scan(root)
print([str(stamp.path) for stamp in found.photos], [(problem.path.name, problem.reason) for problem in found.problems])
Path(sys.argv[3]).write_bytes(b"")  # from here on every read of the medium fails
try:
    identity.read(stamps[0])
except CardGoneError as error:
    print("gone:", error.card.name)
except PhotoError as error:
    print("one bad photo:", error)
"""


def test_a_pulled_card_that_is_still_mounted_is_no_card_full_of_bad_photos(loop: Loop, tmp_path: Path) -> None:
    """The kernel goes on listing it from memory; read as bad photos, they would be given up after three tries."""
    root, others = tmp_path / "cards", tmp_path / "others"
    for folder in (root / "A", root / "B", others):
        folder.mkdir(parents=True)
    device = loop(options=("-O", "^has_journal"))
    number = Path(device).stat().st_rdev
    for entry in disks.BLOCK_DEVICES.iterdir():
        if entry.name != f"{os.major(number)}:{os.minor(number)}":
            (others / entry.name).mkdir()
    run("mount", device, root / "A")
    (root / "A" / "IMG_1.JPG").write_bytes(os.urandom(200_000))
    run("umount", root / "A")
    run("mount", "-o", "ro", device, root / "A")
    # The other card is of memory, so that it has no block device that could go.
    run("mount", "-t", "tmpfs", "card", root / "B")
    try:
        (root / "B" / "IMG_2.JPG").write_bytes(b"x")
        # A view of its own: only there the card's device vanishes from /sys.
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, "-c", PULLED, root, others, tmp_path / "card-0.img"],
            capture_output=True,
            text=True,
        )
    finally:
        run("umount", root / "B")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "['B/IMG_2.JPG'] [('A', 'pulled out while it was mounted')]"
    assert second == "gone: A"


# The daemon, its cards and its disk.


class Device:
    """The real program over a folder of cards, with its data on a disk of its own."""

    def __init__(self, folder: Path, detector: Path) -> None:
        self.cards, self.disk, self.log = folder / "cards", folder / "disk", folder / "device.log"
        self.config = folder / "device.yaml"
        for made in (self.cards, self.disk):
            made.mkdir()
        self.config.write_text(
            yaml.safe_dump(
                {
                    "device": "hut-1",
                    "data": "disk/data",
                    "cards": {"root": "cards", "settle_seconds": 0.2, "rescan_seconds": 0.5},
                    "time_zone": "UTC",
                    "models": {"detector": str(detector), "classifier": "none", "threads": 1},
                    "repeats": "off",
                    "events": {"gap_seconds": 1},
                    "uplink": {"port": 1, "drain_seconds": 0},
                }
            )
        )

    def start(self, listener: Listener, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(self.config), *options]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": listener.address}
            )

    def status(self) -> status.Status:
        return status.read(read_device(self.config))


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(20)
    finally:
        process.kill()


def test_a_card_that_is_pulled_while_it_is_read_and_put_back_is_read_to_its_end(
    loop: Loop, tmp_path: Path, colour_bundle: Path
) -> None:
    device = Device(tmp_path, colour_bundle)
    card = device.cards / "CARD"
    card.mkdir()
    stick = loop()
    run("mount", stick, card)
    plan = card_plan.build(card, bursts=150, cameras=1, broken=0)
    run("umount", card)
    run("mount", "-o", "ro,noload", stick, card)
    with Listener(str(tmp_path / "notify")) as listener:
        process = device.start(listener)
        try:
            listener.until(lambda: "reading: " in " ".join(listener.messages()), 30, "the first photos")
            run("umount", "--lazy", card)
            time.sleep(2)
            pulled = device.status()
            assert 0 < pulled.photos < plan.photos, "it was pulled too late or too early to prove anything"
            run("mount", "-o", "ro,noload", stick, card)
            listener.until(lambda: device.status().photos == plan.photos, 60, "the rest of the card")
            listener.until(lambda: device.status().events == len(plan.events), 60, "its events")
        finally:
            assert stop(process) == 0, device.log.read_text()[-3000:]
    known = device.status()
    assert (known.photos, known.failed, known.duplicates) == (plan.photos, 0, 0)


@pytest.mark.alone  # whoever makes mounts of his own meanwhile keeps the dead file system, and it is mounted once more
def test_a_disk_that_turns_read_only_is_told_of_and_loses_nothing(
    loop: Loop, tmp_path: Path, colour_bundle: Path
) -> None:
    device = Device(tmp_path, colour_bundle)
    disk = loop()
    run("mount", disk, device.disk)
    first = card_plan.build(device.cards / "ONE", bursts=3, cameras=1, broken=0)
    with Listener(str(tmp_path / "notify")) as listener:
        process = device.start(listener)
        try:
            listener.until(lambda: "idle: " in listener.status, 30, "idleness")
            run("mount", "-o", "remount,abort", device.disk)
            # Idle, it writes nothing, and tells it all the same.
            listener.until(lambda: listener.status.startswith("the file system at"), 20, "what happened")
            second = card_plan.build(device.cards / "TWO", bursts=3, cameras=1, broken=0, seed=2)
            listener.until(lambda: listener.status.startswith("waiting: "), 20, "that it cannot go on")
            assert "restart the board" in listener.status
            time.sleep(1)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()
    log = device.log.read_text()
    assert log.count("restart the board") <= 8, "the same trouble is told again and again"
    run("umount", device.disk)
    subprocess.run(["e2fsck", "-p", "-f", disk], capture_output=True)  # as a board does when it starts
    run("mount", disk, device.disk)
    with Listener(str(tmp_path / "notify")) as listener:
        assert device.start(listener, "--until-idle").wait(60) == 3  # nobody listens at port 1
    known = device.status()
    distinct = first.photos + second.photos - known.duplicates
    assert (known.photos, known.failed) == (distinct, 0)
