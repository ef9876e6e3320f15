"""What the machine's own files tell of a disk: that it takes no more writes, that it has left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.device import disks

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
