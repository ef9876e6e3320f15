from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PayloadError
from edge_runtime.uplink import codec
from edge_runtime.uplink.bits import BitReader, Field
from edge_runtime.uplink.payload import (
    MAX_PAYLOAD,
    WIRE_EPOCH_S,
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
from tests.uplink import strategies as some

NOW_S = 1_782_864_000
LEOPARDS = EventRecord(3, NOW_S - 3600, 12, 5, (SpeciesCount(7, 3, 0.93),))
DAY_S = 86_400


def message(
    *records: Record, envelope: Envelope = Envelope.STANDARD, kind: MessageType = MessageType.EVENTS
) -> Message:
    return Message(envelope, kind, codebook=4, sequence=9, clock=ClockQuality.CAMERA, records=records)


def spaced(number: int, seconds: int = 700) -> list[EventRecord]:
    return [replace(LEOPARDS, time_s=LEOPARDS.time_s + seconds * index) for index in range(number)]


def mutated(event: EventRecord = LEOPARDS, **changes: object) -> EventRecord:
    return replace(event, **changes)  # type: ignore[arg-type]


@given(some.standard_messages)
def test_what_is_decoded_is_what_was_encoded_but_for_the_documented_rounding(sent: Message) -> None:
    got = codec.decode(codec.encode(sent), received_s=NOW_S)
    assert got == replace(sent, records=tuple(codec.quantized(record) for record in sent.records))


@given(some.tiny_messages, st.integers(-DAY_S, 30 * DAY_S))
def test_a_tiny_message_tells_the_minute_of_anything_from_30_days_ago_to_a_day_ahead(sent: Message, age_s: int) -> None:
    record = replace(sent.records[0], time_s=NOW_S - age_s)
    got = codec.decode(codec.encode(replace(sent, records=(record,))), received_s=NOW_S)
    assert got == replace(sent, records=(codec.quantized(record, Envelope.TINY),))
    assert 0 <= record.time_s - got.records[0].time_s < 60


@given(some.messages)
def test_decoding_and_encoding_again_gives_the_same_bytes(sent: Message) -> None:
    payload = codec.encode(sent)
    assert codec.encode(codec.decode(payload, received_s=NOW_S)) == payload


@given(some.events | some.cards | some.losses)
def test_rounding_twice_is_rounding_once(record: Record) -> None:
    once = codec.quantized(record)
    assert codec.quantized(once) == once


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_payload_error(payload: bytes) -> None:
    decodes_or_is_refused(payload)


@given(st.binary(max_size=200), st.sampled_from([0x20, 0x28, 0x2C, 0x30, 0x40, 0x48, 0x50]))
def test_any_bytes_behind_a_valid_begin_are_a_message_or_a_payload_error(payload: bytes, first: int) -> None:
    decodes_or_is_refused(bytes([first]) + payload)


@given(some.messages, st.data())
def test_a_message_with_a_flipped_bit_is_a_message_or_a_payload_error(sent: Message, data: st.DataObject) -> None:
    payload = bytearray(codec.encode(sent))
    bit = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[bit // 8] ^= 0x80 >> bit % 8
    decodes_or_is_refused(bytes(payload))


@given(some.messages, st.data())
def test_a_cut_message_never_gives_a_record_that_was_not_sent(sent: Message, data: st.DataObject) -> None:
    payload = codec.encode(sent)
    whole = codec.decode(payload, received_s=NOW_S)
    try:
        cut = codec.decode(payload[: data.draw(st.integers(0, len(payload) - 1))], received_s=NOW_S)
    except PayloadError:
        return
    assert cut.records == whole.records[: len(cut.records)]
    assert len(cut.records) < len(whole.records)


@given(some.messages | st.binary(max_size=300))
def test_every_bit_is_read_once_and_none_beyond_the_end(sent: Message | bytes) -> None:
    payload = sent if isinstance(sent, bytes) else codec.encode(sent)
    trace: list[Field] = []
    reader = BitReader(payload, trace=trace)
    try:
        codec.read_message(reader, received_s=NOW_S)
        assert reader.remaining == 0
    except PayloadError:
        pass
    assert sum(field.width for field in trace) == reader.position <= len(payload) * 8
    assert [field.bit for field in trace] == [sum(f.width for f in trace[:index]) for index in range(len(trace))]


def test_the_longest_message_reads_as_many_fields_as_it_has_and_one_byte_more_is_refused_unread() -> None:
    payload, packed = codec.fill(spaced(2000, 1), codebook=0, sequence=1, clock=ClockQuality.CHECKED, limit=10**6)
    trace: list[Field] = []
    codec.read_message(BitReader(payload, trace=trace), received_s=NOW_S)
    assert (packed, len(payload)) == (1558, 8188)
    envelope, padding = 8, 1
    assert len(trace) == envelope + 10 * packed + 2 * (packed - 1) + padding
    reader = BitReader(payload.ljust(MAX_PAYLOAD + 1, b"\0"))
    with pytest.raises(PayloadError, match="8193 bytes"):
        codec.read_message(reader, received_s=NOW_S)
    assert reader.position == 0


def test_one_event_of_three_animals_takes_13_bytes_and_9_in_a_tiny_message() -> None:
    assert len(codec.encode(message(LEOPARDS))) == 13
    assert len(codec.encode(message(LEOPARDS, envelope=Envelope.TINY))) == 9


def test_ten_events_700_seconds_apart_take_67_bytes() -> None:
    assert len(codec.encode(message(*spaced(10)))) == 67


@pytest.mark.parametrize(
    ("step_s", "bits"), [(0, 6), (63, 6), (64, 12), (4095, 12), (4096, 18), (262_143, 18), (262_144, 32), (-1, 32)]
)
def test_a_step_takes_the_fewest_bits_that_hold_it(step_s: int, bits: int) -> None:
    # Eight steps make whole bytes of any width, so that no padding stands in the way.
    run = spaced(9, step_s)
    assert len(codec.encode(message(*run))) * 8 == 104 + 8 * (2 + bits + 34)


def test_a_tiny_time_is_the_latest_that_is_not_more_than_a_day_ahead() -> None:
    for ahead_s, told_s in ((DAY_S, DAY_S), (DAY_S + 60, DAY_S + 60 - 65536 * 60), (DAY_S - 65535 * 60,) * 2):
        sent = message(mutated(time_s=NOW_S + ahead_s), envelope=Envelope.TINY)
        assert codec.decode(codec.encode(sent), received_s=NOW_S).records[0].time_s == NOW_S + told_s


def test_a_satellite_message_of_340_bytes_holds_55_events() -> None:
    payload, packed = codec.fill(spaced(200), codebook=4, sequence=9, clock=ClockQuality.CAMERA, limit=340)
    assert packed == 55
    assert len(payload) <= 340


def test_a_known_individual_costs_13_bits() -> None:
    named = mutated(species=(SpeciesCount(7, 3, 0.93, Identity(5, 0.5)),))
    payload = codec.encode(message(*[named] * 8))
    assert len(payload) - len(codec.encode(message(*[LEOPARDS] * 8))) == 13


@given(some.event_runs(), st.integers(1, 10**6), st.integers(13, 400))
def test_fill_packs_the_leading_events_as_encode_would_and_one_more_would_not_fit(
    run: tuple[EventRecord, ...], sequence: int, limit: int
) -> None:
    def packed_by_encode(number: int) -> bytes:
        return codec.encode(
            Message(Envelope.STANDARD, MessageType.EVENTS, 77, sequence % 2**16, ClockQuality.FILE, run[:number])
        )

    if len(packed_by_encode(1)) > limit:
        with pytest.raises(PayloadError, match="are allowed"):
            codec.fill(run, codebook=77, sequence=sequence, clock=ClockQuality.FILE, limit=limit)
        return
    payload, number = codec.fill(run, codebook=77, sequence=sequence, clock=ClockQuality.FILE, limit=limit)
    assert payload == packed_by_encode(number)
    assert len(payload) <= limit
    assert number == len(run) or len(packed_by_encode(number + 1)) > limit


def test_fill_stops_before_an_event_that_cannot_be_encoded_and_then_names_it() -> None:
    run = [LEOPARDS, LEOPARDS, mutated(camera=5000), LEOPARDS]
    payload, packed = codec.fill(run, codebook=4, sequence=9, clock=ClockQuality.CAMERA, limit=340)
    assert (payload, packed) == (codec.encode(message(LEOPARDS, LEOPARDS)), 2)
    with pytest.raises(PayloadError, match="camera: 5000"):
        codec.fill(run[2:], codebook=4, sequence=11, clock=ClockQuality.CAMERA, limit=340)


def test_fill_refuses_to_pack_nothing() -> None:
    with pytest.raises(PayloadError, match="no event"):
        codec.fill([], codebook=4, sequence=9, clock=ClockQuality.CAMERA, limit=340)


def test_what_is_past_the_end_of_a_scale_saturates() -> None:
    crowd = mutated(duration_s=10**9, images=10**9, species=(SpeciesCount(7, 10**9, 1.0),))
    (got,) = codec.decode(codec.encode(message(crowd)), received_s=NOW_S).records
    assert got == mutated(duration_s=86_400, images=6144, species=(SpeciesCount(7, 270, 1.0),))


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (mutated(camera=4111), "camera: 4111"),
        (mutated(camera=-1), "camera: -1"),
        (mutated(time_s=WIRE_EPOCH_S + 2**31), "time: "),
        (mutated(time_s=WIRE_EPOCH_S - 2**31 - 1), "time: "),
        (mutated(duration_s=-1), "duration_s"),
        (mutated(images=0), "images"),
        (mutated(species=()), "species: 0"),
        (mutated(species=LEOPARDS.species * 20), "species: 20"),
        (mutated(species=(SpeciesCount(65791, 1, 0.5),)), "code: 65791"),
        (mutated(species=(SpeciesCount(0, 0, 0.5),)), "count: 0"),
        (mutated(species=(SpeciesCount(0, 1, 1.01),)), "confidence: 1.01"),
        (mutated(species=(SpeciesCount(0, 1, math.nan),)), "confidence: nan"),
        (mutated(species=(SpeciesCount(0, 1, 0.5, Identity(1024, 0.5)),)), "individual: 1024"),
        (mutated(species=(SpeciesCount(0, 1, 0.5, Identity(1, -0.1)),)), "score: -0.1"),
    ],
)
def test_an_event_that_has_no_place_on_the_wire_is_refused_by_the_name_of_its_field(
    event: EventRecord, named: str
) -> None:
    for records in ((event,), (LEOPARDS, event)):
        with pytest.raises(PayloadError, match=named):
            codec.encode(message(*records))


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (message(), "at least one"),
        (message(LossRecord(NOW_S, 1, 0)), "EVENTS message takes EventRecords"),
        (message(LEOPARDS, LEOPARDS, envelope=Envelope.TINY), "exactly one"),
        (message(*[LossRecord(NOW_S, 1, 0)] * 2, kind=MessageType.LOSS), "exactly one"),
        (message(LossRecord(NOW_S, 0, 0), kind=MessageType.LOSS), "count: 0"),
        (message(LossRecord(NOW_S, 32768, 0), kind=MessageType.LOSS), "count: 32768"),
        (message(LossRecord(NOW_S, 1, 16), kind=MessageType.LOSS), "reason: 16"),
        (message(CardRecord(NOW_S, 2**32, 0, 0, 0, 0, 0), kind=MessageType.CARD), "photos: 4294967296"),
        (message(CardRecord(NOW_S, 0, 0, 0, 0, 0, -1), kind=MessageType.CARD), "videos: -1"),
        (replace(message(LEOPARDS), codebook=2**14), "codebook: 16384"),
        (replace(message(LEOPARDS), sequence=2**16), "sequence: 65536"),
        (replace(message(LEOPARDS, envelope=Envelope.TINY), codebook=2**9), "codebook: 512"),
        (replace(message(LEOPARDS, envelope=Envelope.TINY), sequence=2**8), "sequence: 256"),
        (replace(message(LEOPARDS, envelope=Envelope.TINY), clock=ClockQuality.FILE), "clock: "),
        (message(*spaced(2000)), "send fewer"),
    ],
)
def test_a_message_that_the_specification_does_not_allow_is_not_made(sent: Message, named: str) -> None:
    with pytest.raises(PayloadError, match=named):
        codec.encode(sent)


def test_a_step_past_the_last_time_is_refused() -> None:
    last = mutated(time_s=WIRE_EPOCH_S + 2**31 - 1)
    payload = codec.encode(message(replace(last, time_s=last.time_s - 5), last))
    assert codec.decode(payload, received_s=NOW_S).records[-1] == codec.quantized(last)
    # Selector and step stand at bits 104 to 111: the 5 becomes a 6.
    with pytest.raises(PayloadError, match="past the last time"):
        codec.decode(payload[:13] + bytes([payload[13] ^ 3]) + payload[14:], received_s=NOW_S)


def decodes_or_is_refused(payload: bytes) -> None:
    # A longer EVENTS message has at most one record for each 42 bits: what comes out is bounded by what went in.
    try:
        got = codec.decode(payload, received_s=NOW_S)
    except PayloadError:
        return
    assert 1 <= len(got.records) <= 1 + len(payload) * 8 // 42
    # What was accepted lies within the limits that encode checks.
    codec.encode(got)
