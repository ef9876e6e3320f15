"""PAYLOAD.md cannot rot: its vectors and tables are read from the file and compared with the code."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import msgspec
import pytest

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.station.explain import Example, examples
from edge_runtime.uplink import codec, records, scales
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.bits import BitWriter
from edge_runtime.uplink.payload import (
    CardRecord,
    ClockQuality,
    Envelope,
    EventRecord,
    Identity,
    LossRecord,
    Message,
    MessageType,
    Record,
    SpeciesCount,
)

RECEIVED_S = 1_782_864_000
TEXT = resources.files("edge_runtime.uplink").joinpath("PAYLOAD.md").read_text("utf-8")
VALUES = {value.pop("name"): value for value in map(json.loads, re.findall(r'^\{"name".*$', TEXT, re.MULTILINE))}
BAD = re.findall(r"^\| ([^|]+) \| (refuse|hold) \| `([0-9a-f]*)` \|$", TEXT, re.MULTILINE)
RECORDS: dict[MessageType, Any] = {
    MessageType.EVENTS: EventRecord,
    MessageType.CARD: CardRecord,
    MessageType.LOSS: LossRecord,
}
MESSAGES = [example for example in examples() if example.topic == "e"]
ACKS = [example for example in examples() if example.topic == "a"]


def by_name(example: Example) -> str:
    return example.name


def sent(name: str) -> Message:
    value = dict(VALUES[name])
    kind = MessageType(value["type"])
    found = msgspec.convert(value.pop("records"), tuple[RECORDS[kind], ...])  # type: ignore[misc]
    return Message(
        Envelope(value["envelope"]), kind, value["codebook"], value["sequence"], ClockQuality(value["clock"]), found
    )


def number(text: str) -> int:
    return int(text.replace(",", ""))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_specification_has_a_vector_for_each_type_envelope_and_clock_quality() -> None:
    shown = [sent(example.name) for example in MESSAGES]
    assert {m.type for m in shown} == set(MessageType)
    assert {m.envelope for m in shown} == set(Envelope)
    assert {m.clock for m in shown} == set(ClockQuality)
    assert {example.name for example in examples()} == set(VALUES)
    assert (len(MESSAGES), len(ACKS), len(BAD)) == (10, 3, 12)


@pytest.mark.parametrize("example", MESSAGES, ids=by_name)
def test_a_vector_is_what_encoding_its_values_gives(example: Example) -> None:
    payload = codec.encode(sent(example.name))
    assert (payload.hex(), len(payload)) == (example.hex, example.size)


@pytest.mark.parametrize("example", MESSAGES, ids=by_name)
def test_decoding_a_vector_gives_its_values_rounded(example: Example) -> None:
    want = sent(example.name)
    got = codec.decode(bytes.fromhex(example.hex), received_s=RECEIVED_S)
    assert got.records == tuple(codec.quantized(record, want.envelope) for record in want.records)
    assert (got.envelope, got.type, got.codebook, got.sequence) == (
        want.envelope,
        want.type,
        want.codebook,
        want.sequence,
    )
    assert got.clock == (ClockQuality.CAMERA if want.envelope is Envelope.TINY else want.clock)


@pytest.mark.parametrize("example", ACKS, ids=by_name)
def test_an_ack_vector_reads_and_writes_as_its_values_say(example: Example) -> None:
    value = VALUES[example.name]
    ack = Ack(
        bytes.fromhex(value["codebook"]), value["contiguous"], bytes.fromhex(value["bitmap"]), value["wants_codebook"]
    )
    assert ack.encode().hex() == example.hex
    assert Ack.decode(bytes.fromhex(example.hex)) == ack
    assert len(ack.encode()) == example.size


@pytest.mark.parametrize(("name", "treatment", "payload"), BAD, ids=[row[0] for row in BAD])
def test_what_the_specification_refuses_is_refused_and_what_it_holds_is_unknown(
    name: str, treatment: str, payload: str
) -> None:
    with pytest.raises(PayloadError) as raised:
        codec.decode(bytes.fromhex(payload), received_s=RECEIVED_S)
    assert isinstance(raised.value, UnknownPayloadError) == (treatment == "hold")


@pytest.mark.parametrize(
    ("heading", "values", "scale"),
    [("images", "photos", scales.IMAGES), ("duration", "seconds", scales.DURATIONS_S)],
)
def test_the_scales_are_those_of_the_specification(heading: str, values: str, scale: tuple[int, ...]) -> None:
    written: dict[int, int] = {}
    pattern = rf"^\| {heading} (\|(?: \d+ \|)+)\n[|-]+\n\| {values} (\|(?: \d+ \|)+)$"
    for codes, meanings in re.findall(pattern, TEXT, re.MULTILINE):
        written |= dict(zip(map(int, cells(codes)), map(int, cells(meanings)), strict=True))
    assert written == dict(enumerate(scale))


def test_the_scales_follow_their_formulas() -> None:
    assert tuple(c + 1 if c < 6 else 6 * 2 ** (c - 5) for c in range(16)) == scales.IMAGES
    assert tuple(c if c < 4 else int(4 * 21600 ** ((c - 4) / 27) + 0.5) for c in range(32)) == scales.DURATIONS_S


UNKNOWN, KNOWN = SpeciesCount(7, 3, 0.93), SpeciesCount(7, 1, 0.93, Identity(11, 0.86))


def spaced(count: int, *entries: SpeciesCount) -> list[EventRecord]:
    return [EventRecord(3, RECEIVED_S + 700 * i, 12, 5, entries or (UNKNOWN,)) for i in range(count)]


def test_the_sizes_of_the_specification_are_those_of_the_codec() -> None:
    def size(count: int, envelope: Envelope, entry: SpeciesCount) -> int:
        found: tuple[Record, ...] = tuple(spaced(count, entry))
        return len(codec.encode(Message(envelope, MessageType.EVENTS, 4, 9, ClockQuality.CAMERA, found)))

    for entry, tiny, standard in (
        (UNKNOWN, "tiny", "standard"),
        (KNOWN, "tiny, the animal known", "standard, the animals known"),
    ):
        assert f"| {tiny} | {size(1, Envelope.TINY, entry)} | - |" in TEXT
        one, ten = (size(count, Envelope.STANDARD, entry) for count in (1, 10))
        assert f"| {standard} | {one} | {ten} |" in TEXT


def test_a_known_animal_and_a_further_entry_cost_the_bits_that_the_specification_says() -> None:
    def bits(*entries: SpeciesCount) -> int:
        writer = BitWriter()
        records.write_event(writer, spaced(1, *entries)[0])
        whole, _, held = writer.mark()
        return 8 * whole + held

    assert bits(KNOWN) - bits(UNKNOWN) == 13
    assert bits(KNOWN, UNKNOWN) - bits(KNOWN) == 17
    assert "A known animal costs 13 bits more, a further entry 17." in TEXT


def test_a_label_repeats_in_the_vector_of_a_known_animal_beside_unknown_ones() -> None:
    (record,) = sent("known beside unknown").records
    assert isinstance(record, EventRecord) and record.review
    assert {entry.code for entry in record.species} == {7}
    assert [entry.identity and entry.identity.individual for entry in record.species] == [11, None, 30]


def test_the_events_that_a_link_carries_in_one_message_are_those_of_the_specification() -> None:
    table = TEXT.split("| link | largest payload | events in one message |\n")[1].split("\n\n")[0].splitlines()[1:]
    written = [(number(row[1]), number(row[2])) for row in map(cells, table)]
    measured = [
        codec.fill(spaced(200), codebook=4, sequence=9, clock=ClockQuality.CAMERA, limit=limit)[1]
        for limit, _ in written
    ]
    assert [limit for limit, _ in written] == [51, 115, 140, 222, 233, 340]
    assert measured == [count for _, count in written]


def test_the_envelopes_are_as_long_as_their_tables_add_up_to() -> None:
    for name, together in (("standard", 70), ("tiny", 38)):
        table = TEXT.split(f"| {name} | bits | |\n")[1].split("| **together**")[0].splitlines()[1:]
        assert sum(int(cells(row)[1]) for row in table) == together
        assert f"| **together** | **{together}** | |" in TEXT


def test_the_card_report_has_the_fields_of_the_specification() -> None:
    table = TEXT.split("| CARD | bits |")[1].split("\n\n")[0].splitlines()[2:]
    assert tuple(cells(row)[0] for row in table) == records.CARD_FIELDS
