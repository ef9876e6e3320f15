"""Faults planted in the device's disk and journal: each is found by its step, with the right next step."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from edge_runtime.journal.schema import MIGRATIONS
from tests.checkup.claims import is_bad, is_skipped_for
from tests.checkup.kit import DEVICE, ROOT_MOUNT, Kit


def test_a_data_folder_mounted_read_only_is_bad_and_the_journal_is_not_looked_at(kit: Kit) -> None:
    kit.mount(ROOT_MOUNT.replace("rw", "ro"))
    found = kit.look()
    is_bad(found["data folder"], "read-only", "/dev/mmcblk0p2", next_step="sudo mount -o remount,rw /")
    is_skipped_for(found["journal"], "data folder")


@pytest.mark.parametrize("options", ["ro - ext4 /dev/sda2 ro,errors=remount-ro", "rw - ext4 /dev/sda2 rw,emergency_ro"])
def test_a_disk_that_the_kernel_stopped_is_told_apart_from_one_mounted_read_only(kit: Kit, options: str) -> None:
    kit.mount(f"30 1 179:2 / / {options}")
    is_bad(kit.look()["data folder"], "after an error", next_step="sudo dmesg")


def test_a_data_folder_that_cannot_really_be_written_is_found_by_trying(kit: Kit, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        locked = Path("/proc/self")  # where not even root can make a file
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
    kit.settings["data"] = str(locked)
    kit.save()
    is_bad(kit.look()["data folder"], "cannot be written", next_step="sudo chown -R ")


def test_a_data_folder_that_is_still_to_be_made_is_no_fault_but_is_said(kit: Kit) -> None:
    kit.settings["data"] = "later"
    kit.save()
    found = kit.look()
    assert found["data folder"].status == "warn" and "sudo install -d" in found["data folder"].next_step
    assert found["journal"].status == "skipped" and "--until-idle" in found["journal"].next_step
    assert not (kit.folder / "later").exists()


def test_a_journal_left_by_another_account_is_named(kit: Kit) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(kit.data, 65534, 65534)
    is_bad(kit.look()["data folder"], "belongs to root", next_step="sudo chown -R")


def test_root_is_told_to_look_as_the_account_that_runs_the_daemon(kit: Kit) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    for path in (kit.data, *kit.data.iterdir()):
        os.chown(path, 65534, 65534)
    finding = kit.look()["data folder"]
    assert finding.status == "warn" and "edge-runtime doctor -c" in finding.next_step and "sudo -u" in finding.next_step


@pytest.mark.parametrize(("free", "status"), [(10_000_000, "bad"), (200_000_000, "warn"), (2_000_000_000, "good")])
def test_little_room_is_a_warning_and_none_is_bad(kit: Kit, free: int, status: str) -> None:
    kit.change(disk_bytes=lambda _: (32_000_000_000, free))
    finding = kit.look()["data disk"]
    assert finding.status == status and (status == "good" or "journalctl --vacuum" in finding.next_step)


@pytest.mark.parametrize(
    ("kind", "status"), [("tmpfs", "bad"), ("overlay", "warn"), ("vfat", "warn"), ("nfs4", "warn")]
)
def test_a_file_system_that_will_not_keep_a_journal_is_named(kit: Kit, kind: str, status: str) -> None:
    kit.mount(f"30 1 179:2 / / rw - {kind} source rw")
    finding = kit.look()["data disk"]
    assert finding.status == status and kind in finding.found and finding.next_step


@pytest.mark.parametrize(
    ("life", "status", "told"),
    [("0x01 0x03", "good", "20 to 30 %"), ("0x09 0x01", "warn", "80 to 90 %"), ("0x0b 0x01", "bad", "past its life")],
)
def test_a_worn_card_is_told_by_its_own_estimate(kit: Kit, life: str, status: str, told: str) -> None:
    kit.write("/sys/block/mmcblk0/device/life_time", f"{life}\n")
    finding = kit.look()["data disk"]
    assert finding.status == status and told in finding.found
    assert status == "good" or "new card" in finding.next_step


def test_errors_that_ext4_has_noted_are_told_also_where_the_disk_is_called_root(kit: Kit) -> None:
    kit.mount(ROOT_MOUNT.replace("/dev/mmcblk0p2", "/dev/root"))
    kit.write("/sys/devices/mmc/mmcblk0p2/partition", "2")
    numbered = kit.world.path("/sys/dev/block/179:2")
    numbered.symlink_to("../../devices/mmc/mmcblk0p2")
    kit.write("/sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    finding = kit.look()["data disk"]
    assert finding.status == "warn" and "3 errors on mmcblk0p2" in finding.found and "fsck" in finding.next_step


def test_a_corrupt_journal_is_found_and_the_next_step_keeps_it(kit: Kit) -> None:
    raw = bytearray(kit.journal.read_bytes())
    assert len(raw) > 8192
    raw[4096 : len(raw) - 4096] = os.urandom(len(raw) - 8192)
    kit.journal.write_bytes(raw)
    is_bad(kit.look()["journal"], "damaged", next_step=f"mv {kit.journal}")


def test_one_corrupt_page_in_a_table_that_nothing_else_reads_is_found(kit: Kit) -> None:
    connection = sqlite3.connect(kit.journal)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'embedding'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    raw = bytearray(kit.journal.read_bytes())
    raw[(page - 1) * size : page * size] = b"\xa5" * size
    kit.journal.write_bytes(raw)
    is_bad(kit.look()["journal"], "damaged", next_step=f"mv {kit.journal}")


def test_a_journal_that_is_no_database_is_found(kit: Kit) -> None:
    kit.journal.write_bytes(b"all work and no play " * 1000)
    is_bad(kit.look()["journal"], "damaged", "not a database", next_step=".damaged")


def test_a_journal_of_a_newer_program_asks_for_an_update(kit: Kit) -> None:
    connection = sqlite3.connect(kit.journal)
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    is_bad(kit.look()["journal"], f"schema version {len(MIGRATIONS) + 1}", next_step="pip install --upgrade")


def test_the_journal_of_another_device_is_refused_with_its_name(kit: Kit) -> None:
    kit.settings["device"] = "valley"
    kit.save()
    is_bad(kit.look()["journal"], DEVICE, "valley", next_step=f"device: {DEVICE}")


def test_looking_leaves_the_journal_and_the_card_as_they_are(kit: Kit) -> None:
    files = [kit.journal, *sorted(kit.card.iterdir())]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    kit.look()
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
