"""The station against a real broker: what it acknowledges it holds, whatever fails in between."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.settings import Broker
from edge_runtime.station.store import Reader, Store
from edge_runtime.station.values import Gap, StoredCardReport, StoredEvent
from edge_runtime.uplink import topics
from tests.broker import Mosquitto, free_port
from tests.station.device import (
    book,
    card,
    connected,
    device_at,
    event,
    eventually,
    ingesting,
    message,
    sequences,
    status,
)

BOOK = book()


def test_what_is_acknowledged_is_stored_and_the_gap_is_named(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 6)
        device.send(1, [event(0), event(1)])
        device.send(5, [event(4)])
        device.send(4, [event(3)])
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1, 2, 4, 5}, "all four are acknowledged")
        assert sequences(store) == [1, 2, 4, 5]
        assert store.gaps("ridge") == [Gap(3, 3, awaited=True)]
        device.send(3, [event(2)])
        eventually(lambda: device.acknowledged == {1, 2, 3, 4, 5}, "the gap is filled")


def test_listeners_hear_of_events_and_card_reports_that_can_be_read_back(store: Store, broker: Mosquitto) -> None:
    events: list[StoredEvent] = []
    cards: list[StoredCardReport] = []

    def hear(arrived: StoredEvent) -> None:
        assert arrived in Reader(store.file).recent_events(10)
        events.append(arrived)

    with (
        ingesting(store, broker.settings, on_event=hear, on_card_report=cards.append) as ingest,
        device_at(broker) as device,
    ):
        connected(ingest)
        device.introduce(1, 3)
        device.send(1, [event(0)])
        device.send(2, [card(photos=1204)])
        eventually(lambda: bool(events and cards), "both were heard of")
        assert (events[0].camera, cards[0].photos) == ("cam7", 1204)


def test_a_listener_that_fails_does_not_stop_the_station(store: Store, broker: Mosquitto) -> None:
    def fail(arrived: StoredEvent) -> None:
        raise RuntimeError(arrived.camera)

    with ingesting(store, broker.settings, on_event=fail) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 3)
        device.send(1, [event(0)])
        device.send(2, [event(1)])
        eventually(lambda: device.acknowledged == {1, 2}, "both are acknowledged")


def test_an_unknown_codebook_is_asked_for_and_then_releases_what_was_held(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.publish(topics.status("ridge"), status(BOOK, 1, 2))
        device.send(1, [event(0)])
        eventually(lambda: any(ack.wants_codebook for ack in device.acks), "the station asks for the codebook")
        asked = device.acks[-1]
        assert int.from_bytes(asked.codebook, "big") == BOOK.wire_id << 18
        assert store.totals().held == 1
        device.publish(topics.codebook("ridge"), BOOK.to_bytes())
        eventually(lambda: device.acknowledged == {1}, "it is acknowledged")
        assert (sequences(store), store.totals().held) == ([1], 0)


def test_a_newer_format_is_held_and_not_acknowledged(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 3)
        device.publish(topics.events("ridge"), b"\xff\x01\x02")
        device.send(2, [event(1)])
        eventually(lambda: 2 in device.acknowledged, "the one behind it is acknowledged")
        assert device.acknowledged == {2}
        assert store.totals().held == 1


def test_garbage_on_every_topic_is_counted_and_the_rest_goes_on(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 2)
        for kind in topics.FROM_DEVICE:
            device.publish(topics.topic("ridge", kind), b"\x00" + random.Random(4).randbytes(300))
            device.publish(topics.topic("ridge", kind), b"\x00" * 200_000)
        device.publish("ct/1/NO-device/e", b"\x20")
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the good one is acknowledged")
        assert store.totals().bad == 9


def test_a_conflict_is_kept_and_the_number_stays_acknowledged(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 2)
        device.send(1, [event(0, label=1)])
        device.send(1, [event(0, label=2)])
        eventually(lambda: store.totals().conflicts == 1, "the conflict is kept")
        eventually(lambda: device.acknowledged == {1}, "the number is acknowledged")
        assert [each.counts[0].label for each in store.recent_events(9)] == ["leopard"]


def test_a_station_that_comes_back_tells_every_device_at_once_where_it_stands(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 9)
        device.send(1, [event(0)])
        device.send(3, [event(2)])
        eventually(lambda: device.acknowledged == {1, 3}, "the two are acknowledged")
    with device_at(broker) as device, ingesting(store, broker.settings):
        eventually(lambda: device.acknowledged == {1, 3}, "the device hears again what is here")


def test_what_was_sent_while_the_station_was_away_arrives_when_it_is_back(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 30)
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the first is acknowledged")
        ingest.stop()
        for sequence in range(2, 30):
            device.send(sequence, [event(sequence)])
        with ingesting(store, broker.settings):
            eventually(lambda: device.acknowledged == set(range(1, 30)), "the others are acknowledged")
    assert sequences(store) == list(range(1, 30))
    assert store.totals().duplicates == 0


def test_a_wrong_password_is_told_and_a_missing_password_file_ends_the_start(store: Store, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("")
    (tmp_path / "wrong").write_text("wrong\n")
    options = f"allow_anonymous false\npassword_file {tmp_path / 'passwords'}"
    with Mosquitto(tmp_path / "broker", options=options) as broker:
        wrong = Broker(port=broker.port, user="station", password_file=str(tmp_path / "wrong"))
        with ingesting(store, wrong) as ingest:
            eventually(lambda: "refused" in ingest.health().link_problem, "the refusal is told")
    missing = Broker(port=free_port(), user="station", password_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="missing"), ingesting(store, missing):
        pass


def test_the_status_is_needed_before_numbers_are_believed(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.publish(topics.codebook("ridge"), BOOK.to_bytes())
        device.publish(topics.events("ridge"), message(BOOK, 70_001, [event(0)]))
        eventually(lambda: store.totals().held == 1, "it is held")
        device.publish(topics.status("ridge"), status(BOOK, 70_001, 70_002))
        eventually(lambda: sequences(store) == [70_001], "it has its full number")
