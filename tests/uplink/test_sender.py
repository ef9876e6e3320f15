from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import PayloadError
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Uplink
from edge_runtime.uplink import codec
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import ClockQuality, LossReason, Message, MessageType
from edge_runtime.uplink.sender import Sender
from edge_runtime.values import CardReport, Count, Event, TimeSource

CODEBOOK = Codebook("dev", "0" * 16, ("CAM01",), ("animal", "person"))
START = 1_780_000_000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A sender with a real outbox and a clock that is moved by hand."""

    def __init__(self, journal: Journal, **settings: object) -> None:
        self.journal, self.clock = journal, Clock()
        self.sender = Sender(journal.outbox, Uplink(**settings), now=self.clock)

    def event(self, number: int = 1, *, every: int = 700, source: TimeSource = "exif") -> None:
        for index in range(number):
            time_s = None if source == "unknown" else START + index * every
            self.journal.outbox.put(Event("CAM01", time_s, time_s, source, 3, (Count("animal", 1, 0.9),)), now_s=0)

    def messages(self) -> Iterator[Message]:
        while (payload := self.sender.next_payload(CODEBOOK)) is not None:
            yield codec.decode(payload, received_s=START)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite", device="dev")
    yield journal
    journal.close()


def test_ten_events_travel_in_one_message_of_at_most_67_bytes(journal: Journal) -> None:
    desk = Desk(journal)
    desk.event(10)
    payload = desk.sender.next_payload(CODEBOOK)
    assert payload is not None and len(payload) <= 67
    assert len(codec.decode(payload, received_s=START).records) == 10


def test_the_window_limits_what_is_on_its_way(journal: Journal) -> None:
    desk = Desk(journal, max_payload=51, window=3)
    desk.event(100)
    sent = list(desk.messages())
    assert len(sent) == 3
    desk.sender.acknowledge(Ack(b"\0\0\0\0", len(sent[0].records)))
    assert [message.sequence for message in desk.messages()] == [sent[2].sequence + len(sent[2].records)]


def test_summaries_are_sent_in_order_and_each_once(journal: Journal) -> None:
    desk = Desk(journal, max_payload=51, window=64)
    desk.event(100)
    sent = list(desk.messages())
    numbers = [message.sequence + place for message in sent for place in range(len(message.records))]
    assert numbers == list(range(1, 101))
    assert list(desk.messages()) == []


def test_a_card_report_travels_alone_and_keeps_its_place(journal: Journal) -> None:
    desk = Desk(journal)
    desk.event(2)
    journal.outbox.put(CardReport(START, 10, 5, 2, 1, 0, 0), now_s=0)
    desk.event(2)
    assert [(message.type, message.sequence, len(message.records)) for message in desk.messages()] == [
        (MessageType.EVENTS, 1, 2),
        (MessageType.CARD, 3, 1),
        (MessageType.EVENTS, 4, 2),
    ]


def test_times_of_another_quality_start_a_message_of_their_own(journal: Journal) -> None:
    desk = Desk(journal)
    desk.event(1)
    desk.event(1, source="file")
    desk.event(1, source="unknown")
    assert [message.clock for message in desk.messages()] == [
        ClockQuality.CAMERA,
        ClockQuality.FILE,
        ClockQuality.UNKNOWN,
    ]


def test_a_time_that_the_wire_cannot_hold_travels_as_unknown_and_stops_nothing(journal: Journal) -> None:
    desk = Desk(journal)
    year_2099 = 4_077_000_000
    journal.outbox.put(Event("CAM01", year_2099, year_2099, "exif", 1, (Count("animal", 1, 0.9),)), now_s=0)
    desk.event(1)
    assert [message.clock for message in desk.messages()] == [ClockQuality.UNKNOWN, ClockQuality.CAMERA]


def test_a_row_that_cannot_be_read_or_expressed_costs_itself_only(journal: Journal) -> None:
    desk = Desk(journal)
    desk.event(1)
    journal.outbox.put(Event("no such camera", START, START, "exif", 1, (Count("animal", 1, 0.9),)), now_s=START)
    desk.event(1)
    journal.outbox.put(CardReport(START, 1, 0, 1, 0, 0, 0), now_s=START)
    journal._connection.execute("UPDATE outbox SET body = X'FF00' WHERE sequence = 4")
    desk.event(1)
    sent = list(desk.messages())
    assert [(message.type, message.sequence) for message in sent] == [
        (MessageType.EVENTS, 1),
        (MessageType.LOSS, 2),
        (MessageType.EVENTS, 3),
        (MessageType.LOSS, 4),
        (MessageType.EVENTS, 5),
    ]
    assert [message.records[0].reason for message in (sent[1], sent[3])] == [
        LossReason.UNENCODABLE,
        LossReason.DAMAGED,
    ]
    desk.sender.start_over()
    assert list(desk.messages()) == sent  # repeated to the byte: a duplicate for the station, no conflict


def test_what_is_not_acknowledged_in_time_is_sent_again_with_growing_patience(journal: Journal) -> None:
    desk = Desk(journal, ack_timeout_seconds=10)
    desk.event(3)
    moments = []
    for second in range(100):
        desk.clock.now = second
        desk.sender.retry_if_due()
        moments += [second for _ in desk.messages()]
    assert moments == [0, 10, 30, 70]


def test_a_new_connection_starts_at_the_first_unacknowledged_summary(journal: Journal) -> None:
    desk = Desk(journal, max_payload=51, window=2)
    desk.event(30)
    first, second = desk.messages()
    desk.sender.acknowledge(Ack(b"\0\0\0\0", len(first.records)))
    desk.sender.start_over()
    assert next(desk.messages()).sequence == second.sequence


def test_a_hole_that_the_station_shows_is_filled(journal: Journal) -> None:
    desk = Desk(journal, max_payload=51, window=4, ack_timeout_seconds=10)
    desk.event(20)
    sent = list(desk.messages())
    lost = sent[1]
    later = [message.sequence + i for message in sent[2:] for i in range(len(message.records))]
    # The station has all but the second message.
    desk.sender.acknowledge(Ack.build(b"\0\0\0\0", lost.sequence - 1, later))
    assert journal.outbox.waiting() == 20 - (lost.sequence - 1) - len(later)
    desk.clock.now = 11
    assert desk.sender.retry_if_due()
    again = next(desk.messages())
    assert (again.sequence, len(again.records)) == (lost.sequence, len(lost.records))


def test_an_ack_of_what_was_never_sent_is_refused_and_removes_nothing(journal: Journal) -> None:
    desk = Desk(journal)
    desk.event(3)
    list(desk.messages())
    with pytest.raises(PayloadError):
        desk.sender.acknowledge(Ack(b"\0\0\0\0", 900))
    assert journal.outbox.waiting() == 3


def test_no_more_is_on_the_wire_than_16_bit_numbers_can_tell_apart(journal: Journal) -> None:
    desk = Desk(journal, window=64)
    with journal.transaction():
        journal._connection.execute("INSERT INTO outbox VALUES (1, 'event', ?, 0)", (b"",))
        journal._connection.execute("DELETE FROM outbox")
        journal._connection.execute("UPDATE sqlite_sequence SET seq = 65530 WHERE name = 'outbox'")
    desk.event(20)
    numbers = [message.sequence + i for message in desk.messages() for i in range(len(message.records))]
    assert [number % 65536 for number in numbers] == [number % 65536 for number in range(65531, 65551)]
    desk.sender.acknowledge(Ack(b"\0\0\0\0", 65550 % 65536))
    assert journal.outbox.waiting() == 0
