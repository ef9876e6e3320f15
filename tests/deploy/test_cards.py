"""Cards that come and go, and disks that die: with real file systems where there are root and loop devices."""

from __future__ import annotations

import os
import re
import shutil
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
from tests.conftest import ROOT
from tests.deploy.filesystems import Loop, run
from tests.deploy.listening import Listener

UNIT = ROOT / "deploy" / "systemd" / "edge-card@.service"
RULES = ROOT / "deploy" / "udev" / "60-edge-cards.rules"


def mount_options(folder: Path) -> set[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[1] == str(folder):
            return set(line.split()[3].split(","))
    return set()


# What mounts tell of the disk under our data.

MOUNTS = r"""
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw,errors=remount-ro
30 22 8:1 / /media/edge-cards/CARD ro,nosuid,nodev,noexec shared:9 - vfat /dev/sda1 ro
31 22 8:17 / /srv/with\040space rw shared:4 - ext4 /dev/sdb1 rw,emergency_ro
32 22 8:33 / /srv/lost rw shared:5 - ext4 /dev/sdc1 rw,shutdown
33 22 8:49 / /srv/covered rw shared:6 - ext4 /dev/sdd1 ro
34 33 8:65 / /srv/covered rw shared:7 - ext4 /dev/sde1 rw
35 22 8:81 /sub /srv/one ro shared:8 - ext4 /dev/sdf1 rw
a line of another kernel
"""


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("/var/lib/edge-runtime", None),
        ("/media/edge-cards/CARD/DCIM", "read-only"),
        ("/srv/with space/data", "stopped by the kernel after an error (emergency_ro)"),
        ("/srv/lost", "lost its disk (shutdown)"),
        ("/srv/covered/data", None),
        ("/srv/one", "read-only"),
        ("/srv/one-more", None),
    ],
)
def test_a_disk_that_takes_no_more_writes_is_told_by_its_mount(tmp_path: Path, folder: str, says: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    found = disks.unwritable(Path(folder), mounts=mounts)
    assert found is None if says is None else found and says in found


def test_without_a_list_of_mounts_nothing_is_said_against_a_disk(tmp_path: Path) -> None:
    assert disks.unwritable(tmp_path, mounts=tmp_path / "missing") is None
    assert disks.unwritable(tmp_path) is None


def test_a_device_is_gone_when_the_system_no_longer_knows_its_number(tmp_path: Path) -> None:
    (tmp_path / "8:1").mkdir()
    assert not disks.device_is_gone(os.makedev(8, 1), block_devices=tmp_path)
    assert disks.device_is_gone(os.makedev(8, 17), block_devices=tmp_path)
    # What has no block device cannot lose it, and where nobody knows, nobody is accused.
    assert not disks.device_is_gone(os.makedev(0, 40), block_devices=tmp_path)
    assert not disks.device_is_gone(os.makedev(8, 17), block_devices=tmp_path / "missing")
    assert not disks.device_is_gone(os.makedev(8, 17), block_devices=tmp_path / "8:1")


@pytest.mark.parametrize(("size", "gone"), [("0", True), ("31116288", False)])
def test_a_reader_without_its_card_is_a_disk_of_size_zero_whatever_its_partitions_say(
    tmp_path: Path, size: str, gone: bool
) -> None:
    partition = tmp_path / "devices" / "sda" / "sda1"
    partition.mkdir(parents=True)
    (partition.parent / "size").write_text(f"{size}\n")
    (partition / "size").write_text("31108096\n")
    (partition / "partition").write_text("1\n")
    known = tmp_path / "block"
    known.mkdir()
    (known / "8:0").symlink_to(partition.parent)
    (known / "8:1").symlink_to(partition)
    assert disks.device_is_gone(os.makedev(8, 0), block_devices=known) is gone
    assert disks.device_is_gone(os.makedev(8, 1), block_devices=known) is gone


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


# The unit that mounts cards.


def script(name: str, device: str) -> str:
    """What the unit has `sh` do, as systemd would hand it over."""
    text = UNIT.read_text().replace("\\\n", " ")
    (found,) = re.findall(rf"^{name}=/bin/sh -euc '(.*)'$", text, re.MULTILINE)
    kernel_name = device.removeprefix("/dev/")
    return found.replace("\\\\", "\\").replace("%i", kernel_name).replace("%I", kernel_name).replace("$$", "$")


def card(what: str, device: str, cards: Path, *, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"LC_ALL": "C", "CARDS": str(cards), "DEVICE": device}
    environment["PATH"] = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    return subprocess.run(["/bin/sh", "-euc", script(what, device)], env=environment, capture_output=True, text=True)


def test_a_card_is_mounted_read_only_under_its_label_and_not_a_bit_of_it_changes(loop: Loop, tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    device = loop(label="CAM 01/x")
    before = (tmp_path / "card-0.img").read_bytes()
    done = card("ExecStart", device, cards)
    assert done.returncode == 0, done.stderr
    (folder,) = cards.iterdir()
    assert folder.name == "CAM_01_x"
    assert {"ro", "nosuid", "nodev", "noexec", "norecovery"} <= mount_options(folder)
    with os.scandir(folder):
        # Pulled while it is open: the mount goes from everybody's sight at once.
        assert card("ExecStop", device, cards).returncode == 0
        assert mount_options(folder) == set() and list(cards.iterdir()) == []
    run("sync")
    assert (tmp_path / "card-0.img").read_bytes() == before


def test_two_cards_of_one_label_and_names_that_are_never_read_get_their_uuids(loop: Loop, tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    for label in ("CAMERA", "CAMERA", "", "Backup", ".hidden"):
        done = card("ExecStart", loop(label=label), cards)
        assert done.returncode == 0, done.stderr
    names = sorted(folder.name for folder in cards.iterdir())
    assert len(names) == 5 and "CAMERA" in names
    assert all(re.fullmatch("[0-9a-f-]{36}", name) for name in names if name != "CAMERA")


def test_what_the_system_has_mounted_itself_is_left_alone(loop: Loop, tmp_path: Path) -> None:
    cards, elsewhere = tmp_path / "cards", tmp_path / "elsewhere"
    elsewhere.mkdir()
    device = loop(label="rootfs")
    run("mount", device, elsewhere)
    done = card("ExecStart", device, cards)
    assert done.returncode == 0 and "belongs to the system" in done.stdout and not cards.exists()
    assert card("ExecStop", device, cards).returncode == 0
    assert "rw" in mount_options(elsewhere)


def test_other_file_systems_are_left_alone(loop: Loop, tmp_path: Path) -> None:
    done = card("ExecStart", loop(label="OLD", kind="ext2"), tmp_path / "cards")
    assert done.returncode == 0 and "holds no vfat, exfat or ext4" in done.stdout


@pytest.mark.parametrize(
    ("kind", "has"),
    [("vfat", ["utf8", "tz=UTC", "umask=0227"]), ("exfat", ["umask=0227"]), ("ext4", ["noload"])],
)
def test_every_file_system_gets_the_options_that_keep_it_as_it_is(tmp_path: Path, kind: str, has: list[str]) -> None:
    """The commands are stand-ins here: not every kernel has these file systems."""
    programs = {
        "findmnt": "exit 1",
        "mountpoint": "exit 1",
        "blkid": f'case "$3" in TYPE) echo {kind};; LABEL) echo CARD;; UUID) echo 1234-ABCD;; esac',
        "id": "echo 987",
        "mount": f'echo "$@" >{tmp_path}/mounted',
    }
    for name, does in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = card("ExecStart", "/dev/sdz1", tmp_path / "cards", path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "mounted").read_text().split()
    options = words[words.index("--options") + 1].split(",")
    assert {"ro", "nosuid", "nodev", "noexec", *has} <= set(options)
    assert ("gid=987" in options) == (kind != "ext4")
    assert words[words.index("--types") + 1] == kind and words[-1] == f"{tmp_path}/cards/CARD"


# The rule that starts it.


def wants(device: str, rules: Path, action: str) -> tuple[str, str]:
    """What systemd would start for `device` as udev says under `rules`, and what udev would run at once.

    This machine's own udev sees nothing of it.
    """
    there = "/run/udev/rules.d"
    test = f"udevadm test --action={action} /sys/class/block/{Path(device).name}"
    steps = f"mount -t tmpfs run /run; mkdir -p {there}; cp {rules} {there}/{RULES.name}; {test}"
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", steps], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = [line for line in done.stderr.splitlines() if f"{RULES.name}:" in line]
    assert not [line for line in about if "nvalid" in line or "gnoring" in line], about
    found = re.search(r"^SYSTEMD_WANTS=(.*)$", done.stdout, re.MULTILINE)
    at_once = re.search(r"^run: '(/bin/systemctl .*)'$", done.stdout, re.MULTILINE)
    return found[1] if found else "", at_once[1] if at_once else ""


def test_a_file_system_in_a_usb_reader_is_wanted_to_be_mounted_and_no_other(loop: Loop, tmp_path: Path) -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is not installed (Debian: apt-get install udev)")
    device = loop(label="CARD")
    unit = f"edge-card@{Path(device).name}"
    assert wants(device, RULES, "add") == ("", ""), "a disk that is in no USB reader"
    # A loop device stands for the reader: it is no USB device, cannot be taken out, and tells of no change of medium.
    text = RULES.read_text()
    altered = text.replace('"*/usb[0-9]*/*"', '"*/loop[0-9]*"').replace('{removable}=="1"', '{removable}=="0"')
    here = tmp_path / "altered.rules"
    here.write_text(altered)
    assert wants(device, here, "add") == (f"{unit}.service", "")
    assert wants(device, here, "change") == (f"{unit}.service", "")
    here.write_text(altered.replace('{DISK_MEDIA_CHANGE}=="1"', '{DISK_MEDIA_CHANGE}!="1"'))
    again = f"/bin/systemctl --no-block try-restart {unit}*.service"
    assert wants(device, here, "change") == (f"{unit}.service", again)
