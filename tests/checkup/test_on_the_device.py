"""Faults planted in settings, models, card, clock and board: each is found by its step, with the right next step."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge_runtime.checkup.step import Finding
from tests.checkup import kit as kits
from tests.checkup.claims import is_bad, is_skipped_for
from tests.checkup.kit import NOW_S, Kit

LOCAL = (
    *("configuration", "data folder", "data disk", "journal", "models", "engine", "golden samples", "card folder"),
    *("photos", "clock", "time zone", "temperature", "throttling", "memory"),
)


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


def test_a_card_that_was_pulled_out_of_its_reader_is_named_though_the_reader_is_there(kit: Kit) -> None:
    kit.write("/sys/devices/usb/sda/size", "0\n")
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
