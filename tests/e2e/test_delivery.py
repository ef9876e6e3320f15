from __future__ import annotations

import sqlite3
import subprocess
import time

import pytest

from tests import card_plan
from tests.e2e.conftest import Field


def totals_of_reports(field: Field) -> tuple[int, int, int, int]:
    reports = field.store.recent_card_reports(1000)
    return (
        sum(report.photos for report in reports),
        sum(report.empty for report in reports),
        sum(report.failed for report in reports),
        sum(report.duplicates for report in reports),
    )


def test_a_card_reaches_the_station_whole_in_order_and_once(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=8)
    before = plan.fingerprints()
    field.broker.start()
    field.station.start()
    daemon = field.daemon("--until-idle").start()
    assert daemon.wait(60) == 0, daemon.log()
    assert field.events() == plan.events
    assert totals_of_reports(field) == (plan.photos, plan.empty, plan.failed, plan.duplicates)
    assert plan.fingerprints() == before


def test_a_second_run_over_the_same_card_sends_nothing_again(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=3)
    field.broker.start()
    field.station.start()
    for _ in range(2):
        daemon = field.daemon("--until-idle").start()
        assert daemon.wait(60) == 0, daemon.log()
    assert field.events() == plan.events
    assert len(field.store.recent_card_reports(10)) == 1
    assert field.store.totals().duplicates == 0


def test_with_the_broker_down_for_the_whole_card_everything_arrives_later_in_order_and_once(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=12)
    daemon = field.daemon().start()

    def all_read() -> bool:
        now = field.status()
        return now is not None and (now.photos, now.failed) == (plan.photos, plan.failed)

    field.until(all_read, 60, "the card is read without a broker")
    field.broker.start()
    field.station.start()
    field.until(lambda: len(field.events()) >= len(plan.events) - 2, 60, "the outbox drains")
    assert daemon.stop() == 0
    # The last event of each camera stays open for photos that may still join; the next run closes it.
    assert field.daemon("--until-idle").start().wait(60) == 0
    assert field.events() == plan.events


def test_a_station_restarted_in_mid_stream_misses_nothing_and_doubles_nothing(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=30)
    field.broker.start()
    field.station.start()
    daemon = field.daemon("--until-idle").start()
    for share in (0.2, 0.4, 0.6):
        field.until(lambda share=share: len(field.events()) >= share * len(plan.events), 60, "events arrive")
        field.station.stop()
        field.station.start()
    assert daemon.wait(90) == 0, daemon.log()
    assert field.events() == plan.events


def test_without_a_station_the_run_ends_with_its_own_exit_code_and_keeps_everything(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=3)
    text = field.device_file.read_text().replace("drain_seconds: 60", "drain_seconds: 1")
    field.device_file.write_text(text)
    daemon = field.daemon("--until-idle").start()
    assert daemon.wait(60) == 3 and "stay in the outbox" in daemon.log()
    field.broker.start()
    field.station.start()
    field.device_file.write_text(text.replace("drain_seconds: 1", "drain_seconds: 60"))
    assert field.daemon("--until-idle").start().wait(60) == 0
    assert field.events() == plan.events


def test_a_card_that_is_pulled_and_put_back_is_read_to_its_end(field: Field) -> None:
    plan = card_plan.build(field.folder / "real", bursts=40)
    field.broker.start()
    field.station.start()
    daemon = field.daemon().start()
    for _ in range(3):  # in and out, in the middle of reading
        plan.folder.rename(field.card / "SD")
        had = now.photos if (now := field.status()) else 0
        field.until(lambda had=had: (now := field.status()) is not None and now.photos > had, 30, "photos are read")
        (field.card / "SD").rename(plan.folder)
    plan.folder.rename(field.card / "SD")

    def all_read() -> bool:
        now = field.status()
        return now is not None and now.photos == plan.photos

    field.until(all_read, 60, "the card is read to its end")
    assert daemon.stop() == 0
    assert field.daemon("--until-idle").start().wait(60) == 0
    status = field.status()
    assert status is not None and status.failed == plan.failed
    assert [(f"SD/{camera}", *rest) for camera, *rest in plan.events] == field.events()


def test_photos_that_are_written_while_they_are_watched_count_once_and_fail_never(field: Field) -> None:
    plan = card_plan.build(field.folder / "real", bursts=3, cameras=1, broken=0)
    field.broker.start()
    field.station.start()
    daemon = field.daemon().start()
    field.until(lambda: field.status() is not None, 30, "the daemon is up")
    for source in sorted(plan.folder.rglob("*.JPG")):
        target = field.card / source.relative_to(plan.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        with target.open("wb", buffering=0) as stream:
            for start in range(0, len(data), 512):
                stream.write(data[start : start + 512])
                time.sleep(0.03)

    def all_read() -> bool:
        now = field.status()
        return now is not None and now.photos == plan.photos

    field.until(all_read, 60, "every photo is read")
    assert daemon.stop() == 0
    assert field.daemon("--until-idle").start().wait(60) == 0
    now = field.status()
    assert now is not None and (now.failed, now.duplicates) == (0, 0)
    assert field.events() == plan.events


def test_a_damaged_row_in_the_outbox_is_told_as_a_loss_and_the_rest_arrives(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=6, cameras=1, broken=0)
    field.device_file.write_text(field.device_file.read_text().replace("drain_seconds: 60", "drain_seconds: 0"))
    assert field.daemon("--until-idle").start().wait(60) == 3
    with sqlite3.connect(field.folder / "device" / "journal.sqlite") as journal:
        journal.execute("UPDATE outbox SET body = X'FF' WHERE sequence = 2")
    field.device_file.write_text(field.device_file.read_text().replace("drain_seconds: 0", "drain_seconds: 60"))
    field.broker.start()
    field.station.start()
    daemon = field.daemon("--until-idle").start()
    assert daemon.wait(60) == 0, daemon.log()
    assert field.events() == plan.events[:1] + plan.events[2:]
    (device,) = field.store.devices()
    assert (device.dropped, device.gaps, device.outstanding) == (1, (), 0)


def test_a_full_disk_is_said_and_outlived(field: Field) -> None:
    plan = card_plan.build(field.card, bursts=20)
    disk = field.folder / "device"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=220k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted as root")
    try:
        field.broker.start()
        field.station.start()
        daemon = field.daemon().start()
        field.until(lambda: "free some space on the disk" in daemon.log(), 60, "the daemon says that its disk is full")
        status = field.status()
        assert daemon.running and status is not None and status.photos < plan.photos
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        field.until(
            lambda: (now := field.status()) is not None and now.photos == plan.photos, 60, "it goes on by itself"
        )
        assert daemon.stop() == 0
        assert field.daemon("--until-idle").start().wait(60) == 0
        assert field.events() == plan.events
    finally:
        field.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)
