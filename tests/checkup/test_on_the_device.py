"""Faults planted on the device itself: each is found by its step, with the right next step."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from edge_runtime.checkup.step import Finding
from edge_runtime.journal.schema import MIGRATIONS
from tests.checkup import kit as kits
from tests.checkup.kit import DEVICE, NOW_S, ROOT_MOUNT, Kit

LOCAL = (
    *("configuration", "data folder", "data disk", "journal", "models", "engine", "golden samples", "card folder"),
    *("photos", "clock", "time zone", "temperature", "throttling", "memory"),
)


def is_bad(finding: Finding, *found: str, next_step: str) -> None:
    assert finding.status == "bad", finding
    assert all(each in finding.found for each in found), finding
    assert next_step in finding.next_step, finding


def is_skipped_for(finding: Finding, name: str) -> None:
    assert finding.status == "skipped" and f"'{name}'" in finding.found, finding


def test_a_device_that_is_well_is_good_in_every_step_and_nothing_is_to_be_done(kit: Kit) -> None:
    found = kit.look()
    assert {name: found[name].status for name in LOCAL} == dict.fromkeys(LOCAL, "good"), found
    assert not any(found[name].next_step for name in LOCAL)


def test_without_network_every_step_of_the_network_is_skipped_and_says_why(kit: Kit) -> None:
    kit.change(resolve=lambda host, port: pytest.fail("the network was asked"))
    found = kit.look()
    for name in ("name", "port", "TLS", "login", "publish", "station"):
        assert found[name] == Finding("skipped", "because of --no-network")


def test_a_mistyped_key_is_named_with_its_line_and_everything_that_needs_it_is_skipped(kit: Kit) -> None:
    kit.settings["cards"]["rescan_secnds"] = 5
    kit.save()
    line = kit.config.read_text().splitlines().index("  rescan_secnds: 5") + 1
    found = kit.look(with_network=True)
    wanted = ("cards.rescan_secnds", "rescan_seconds", f"device.yaml:{line}")
    is_bad(found["configuration"], *wanted, next_step=f"nano +{line} {kit.config}")
    for name in ("data folder", "data disk", "journal", "models", "card folder", "time zone", "name", "TLS files"):
        is_skipped_for(found[name], "configuration")
    assert found["temperature"].status == "good"  # it needs no configuration
    assert not [each for each in found.values() if each.status == "good" and "configuration" in each.found]


def test_a_file_that_is_no_yaml_is_named_with_its_line(kit: Kit) -> None:
    kit.config.write_text("device: ridge\ndata: [\n")
    is_bad(kit.look()["configuration"], "no valid YAML", next_step="nano +")


def test_a_missing_configuration_says_where_to_begin(kit: Kit) -> None:
    kit.config.unlink()
    is_bad(kit.look()["configuration"], "No such file", next_step="cp deploy/device.yaml")


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


def test_a_damaged_graph_is_found_by_its_hash_and_no_engine_touches_it(kit: Kit) -> None:
    graph = next((kit.bundle / "graphs").iterdir())
    raw = bytearray(graph.read_bytes())
    raw[len(raw) // 2] ^= 1
    graph.write_bytes(raw)
    found = kit.look()
    is_bad(found["models"], "sha256", graph.name, next_step="rsync")
    is_skipped_for(found["engine"], "models")
    is_skipped_for(found["golden samples"], "engine")


def test_a_golden_sample_that_is_answered_otherwise_names_sample_and_variant(kit: Kit, colour_bundle: Path) -> None:
    kit.settings["models"]["detector"] = "other"
    kit.save()
    kits.with_golden(colour_bundle, kit.folder / "other", confidence=0.2)
    found = kit.look()
    assert found["engine"].status == "good"
    is_bad(found["golden samples"], "1 of 1", "1.jpg", "expected 0.20", next_step="edge-export inspect other")


def test_an_engine_that_is_not_here_names_those_that_are(kit: Kit) -> None:
    kit.settings["models"]["engine"] = "npu"
    kit.save()
    found = kit.look()
    is_bad(found["engine"], "npu", next_step="onnxruntime")
    is_skipped_for(found["golden samples"], "engine")


def test_a_bundle_without_golden_samples_is_skipped_not_good(kit: Kit, colour_bundle: Path) -> None:
    kit.settings["models"]["detector"] = str(colour_bundle)
    kit.save()
    assert kit.look()["golden samples"].status == "skipped"


def test_a_name_that_the_classifier_cannot_say_is_named_with_its_line(kit: Kit) -> None:
    (kit.folder / "here.txt").write_text("# ours\nunicorn\n")
    kit.settings["models"].update(classifier="default", allowed="here.txt")
    kit.save()
    is_bad(kit.look()["models"], "unicorn", next_step="nano +2")


def test_a_missing_card_folder_is_bad_and_no_photo_is_sought(kit: Kit) -> None:
    kit.settings["cards"]["root"] = "nowhere"
    kit.save()
    found = kit.look()
    is_bad(found["card folder"], "nowhere does not exist", next_step="lsblk -f")
    is_skipped_for(found["photos"], "card folder")


def test_a_card_that_was_pulled_leaves_a_stale_mount_which_is_named(kit: Kit) -> None:
    kit.world.path("/sys/dev/block/8:1").unlink()
    is_bad(kit.look()["card folder"], "/dev/sda1 is gone", next_step=f"sudo umount -l {kit.card}")


def test_a_card_mounted_for_writing_is_a_warning_with_the_mount_command(kit: Kit) -> None:
    kit.mount_card("rw,relatime")
    finding = kit.look()["card folder"]
    assert finding.status == "warn" and "without ro and nosuid" in finding.found
    assert f"remount,ro,nosuid,nodev,noexec {kit.card}" in finding.next_step


def test_an_empty_card_folder_is_skipped_not_good(kit: Kit) -> None:
    for photo in kit.card.iterdir():
        photo.unlink()
    finding = kit.look()["photos"]
    assert finding.status == "skipped" and "lsblk" in finding.next_step


def test_photos_of_which_none_can_be_decoded_are_bad_and_one_in_three_is_a_warning(kit: Kit) -> None:
    photos = sorted(kit.card.iterdir())
    photos[0].write_bytes(b"\xff\xd8 no picture")
    finding = kit.look()["photos"]
    assert finding.status == "warn" and "1 of 3 cannot be decoded" in finding.found
    for photo in photos:
        photo.write_bytes(b"\xff\xd8 no picture")
    is_bad(kit.look()["photos"], "3 of 3", photos[0].name, next_step="format the card in the camera")


def test_a_clock_in_1970_cannot_be_and_the_time_zone_says_nothing(kit: Kit) -> None:
    kit.change(now=lambda: 86_400.0)
    found = kit.look()
    is_bad(found["clock"], "1970-01-02", "cannot be", next_step="sudo date -u -s")
    is_skipped_for(found["time zone"], "clock")


def test_a_clock_behind_the_journals_last_photo_is_bad(kit: Kit) -> None:
    later = int(NOW_S) + 30 * 86_400
    connection = sqlite3.connect(kit.journal)
    connection.execute("INSERT INTO event (id, camera, time_source, state) VALUES (1, 'c', 'exif', 'empty')")
    connection.execute(
        "INSERT INTO photo (sha256, camera, time_source, make, model, serial, width, height, empty, processed_s, "
        "event_id) VALUES (x'00', 'c', 'exif', '', '', '', 1, 1, 1, ?, 1)",
        (later,),
    )
    connection.commit()
    connection.close()
    is_bad(kit.look()["clock"], "last photo was processed", next_step="sudo hwclock -w")


def test_a_clock_that_nothing_keeps_is_a_warning(kit: Kit) -> None:
    kit.world.path("/run/systemd/timesync/synchronized").unlink()
    assert kit.look()["clock"].status == "good"  # the battery keeps it
    kit.write("/sys/class/rtc/rtc0/since_epoch", f"{int(NOW_S) - 5000}\n")
    assert "hwclock" in kit.look()["clock"].next_step
    kit.world.path("/sys/class/rtc/rtc0/since_epoch").unlink()
    kit.world.path("/sys/class/rtc/rtc0").rmdir()
    finding = kit.look()["clock"]
    assert finding.status == "warn" and "timedatectl set-ntp true" in finding.next_step
    kit.change(tool=lambda command: "yes" if command[0] == "timedatectl" else None)
    assert kit.look()["clock"].status == "good"


@pytest.mark.parametrize(("milli", "status"), [(60_000, "good"), (74_000, "warn"), (81_000, "bad")])
def test_heat_is_told_against_the_boards_limit(kit: Kit, milli: int, status: str) -> None:
    kit.write("/sys/class/thermal/thermal_zone0/temp", f"{milli}\n")
    finding = kit.look()["temperature"]
    assert finding.status == status and "80 °C" in finding.found and bool(finding.next_step) == (status != "good")


@pytest.mark.parametrize(
    ("bits", "status", "found", "step"),
    [
        ("0x50000", "warn", "under-voltage since boot", "supply"),
        ("0x50005", "bad", "under-voltage, throttled", "supply"),
        ("0x80000", "warn", "soft temperature limit since boot", "heat sink"),
    ],
)
def test_a_weak_supply_and_heat_are_told_apart(kit: Kit, bits: str, status: str, found: str, step: str) -> None:
    kit.change(tool=lambda command: f"throttled={bits}" if command[0] == "vcgencmd" else None)
    finding = kit.look()["throttling"]
    assert finding.status == status and found in finding.found and step in finding.next_step


def test_little_memory_is_a_warning(kit: Kit) -> None:
    kit.write("/proc/meminfo", "MemTotal: 480000 kB\nMemAvailable: 90000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
    finding = kit.look()["memory"]
    assert finding.status == "warn" and "92 of 491 MB" in finding.found and "no swap" in finding.found
    assert "ps aux" in finding.next_step
