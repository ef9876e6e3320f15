from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.station.explain import Example, examples, explain
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import (
    ClockQuality,
    Envelope,
    EventRecord,
    Identity,
    Message,
    MessageType,
    SpeciesCount,
)
from tests.uplink import strategies as some

NOW_S = 1_782_864_000
BOOK = Codebook("mara-1", "0123456789abcdef", ("bridge", "waterhole"), ("animal", "leopard"))
ROW = re.compile(r"^ *(\d+) +(\d+)  \S.*$", re.MULTILINE)


def told(*events: EventRecord, codebook: int = BOOK.wire_id, envelope: Envelope = Envelope.STANDARD) -> bytes:
    return codec.encode(Message(envelope, MessageType.EVENTS, codebook, 65535, ClockQuality.CAMERA, events))


LEOPARDS = EventRecord(1, NOW_S - 120, 700, 5, (SpeciesCount(1, 3, 0.93),))


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_an_event_is_told_with_its_names_places_and_bits() -> None:
    lines = lines_of(explain(told(LEOPARDS), BOOK, NOW_S))
    assert "size in bytes: 13" in lines
    assert "0 3 version 001 standard" in lines
    assert "38 32 time 0x0c387708 2026-06-30 23:58:00 UTC" in lines
    assert "70 4 camera 0001 code 1: waterhole" in lines
    assert "74 5 duration 10010 about 707 s" in lines
    assert "79 4 images 0100 5" in lines
    assert "87 8 code 00000001 code 1: leopard" in lines
    assert "95 4 count 0011 3" in lines
    assert "99 4 confidence 1110 93%" in lines


def test_a_tiny_event_is_told_with_its_names_and_its_minute() -> None:
    event = EventRecord(1, NOW_S - 90, 0, 1, LEOPARDS.species)
    payload = codec.encode(Message(Envelope.TINY, MessageType.EVENTS, BOOK.tiny_id, 7, ClockQuality.CAMERA, (event,)))
    lines = lines_of(explain(payload, BOOK, NOW_S))
    assert "38 4 camera 0001 code 1: waterhole" in lines
    assert any(line.endswith("2026-06-30 23:58:00 UTC (to the minute)") for line in lines)


def test_later_records_are_told_with_their_own_time_and_sequence() -> None:
    later = EventRecord(0, LEOPARDS.time_s + 700, 0, 1, LEOPARDS.species)
    lines = lines_of(explain(told(LEOPARDS, later), BOOK, NOW_S))
    assert "record 1, sequence 65535" in lines
    assert "record 2, sequence 0" in lines
    assert "106 12 step 001010111100 +700 s: 2026-07-01 00:09:40 UTC" in lines


def test_without_the_right_codebook_no_name_is_told() -> None:
    for text in (
        explain(told(LEOPARDS), None, NOW_S),
        explain(told(LEOPARDS, codebook=BOOK.wire_id ^ 1), BOOK, NOW_S),
    ):
        assert "waterhole" not in text
        assert "codes without names" in text


def test_a_code_that_the_codebook_lacks_is_told_as_such() -> None:
    assert "code 9: not in the codebook" in explain(told(EventRecord(9, NOW_S, 0, 1, LEOPARDS.species)), BOOK, NOW_S)


def test_an_individual_is_told_by_its_name_where_the_codebook_has_it() -> None:
    known = replace(LEOPARDS, species=(SpeciesCount(1, 1, 0.93, Identity(1, 0.86)),))
    beyond = replace(LEOPARDS, species=(SpeciesCount(1, 1, 0.93, Identity(7, 0.86)),))
    names = replace(BOOK, individuals=("F12", "Nala"), body=b"")

    def told_of(event: EventRecord, codebook: Codebook) -> str:
        lines = lines_of(explain(told(event, codebook=codebook.wire_id), codebook, NOW_S))
        return next(line for line in lines if " individual " in line)

    assert told_of(known, names) == "104 10 individual 0000000001 number 1: Nala"
    assert told_of(known, BOOK) == "104 10 individual 0000000001 number 1"
    assert told_of(beyond, names).endswith("number 7: not in the codebook")


def test_a_cut_payload_is_told_as_far_as_it_goes_and_then_why_not_further() -> None:
    text = explain(told(LEOPARDS)[:-1], BOOK, NOW_S)
    assert "leopard" in text
    assert text.splitlines()[-1] == "no further: ends within 'count' (record 1, species 1) (at bit 95)"


@settings(deadline=None)
@given(some.messages)
def test_every_bit_of_a_message_is_told_once_and_nothing_is_left_unsaid(message: Message) -> None:
    payload = codec.encode(message)
    text = explain(payload, BOOK, NOW_S)
    rows = [(int(bit), int(width)) for bit, width in ROW.findall(text)]
    end = 0
    for bit, width in rows:
        assert bit == end
        end += width
    assert end == len(payload) * 8
    assert "no further" not in text


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_told(payload: bytes) -> None:
    assert f"size in bytes: {len(payload)}" in explain(payload, BOOK, NOW_S)


@pytest.mark.parametrize("example", [e for e in examples() if e.topic == "e"], ids=lambda e: e.name)
def test_each_example_of_the_specification_is_told_to_its_end(example: Example) -> None:
    payload = bytes.fromhex(example.hex)
    assert len(payload) == example.size
    assert "no further" not in explain(payload, None, NOW_S)


@settings(deadline=None)
@given(some.cards, some.losses)
def test_the_counts_of_a_card_report_and_of_a_loss_are_told(card: object, loss: object) -> None:
    for kind, record in ((MessageType.CARD, card), (MessageType.LOSS, loss)):
        message = Message(Envelope.STANDARD, kind, 0, 1, ClockQuality.CHECKED, (record,))  # type: ignore[arg-type]
        lines = lines_of(explain(codec.encode(message), None, NOW_S))
        for name in ("photos", "videos") if kind is MessageType.CARD else ("count",):
            value = str(getattr(record, name))
            assert any(f" {name} " in line and value in line.split()[4:] for line in lines)
