from __future__ import annotations

import hashlib
import json
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink.codebook import MAX_BODY, Codebook
from edge_runtime.uplink.payload import ClockQuality, Envelope, LossRecord, Message, MessageType

BOOK = Codebook(
    device="mara-1",
    epoch="0123456789abcdef",
    cameras=("waterhole", "Brücke"),
    labels=("animal", "leopard"),
    models={"detector": "yolox-nano 1"},
    time_zone="Africa/Nairobi",
)
names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=8).map(tuple)


def packed(**changes: object) -> bytes:
    return zlib.compress(json.dumps({**json.loads(BOOK.body), **changes}).encode())


@given(names, names, names, st.dictionaries(st.sampled_from(["detector", "classifier"]), st.text("ab 1.", max_size=9)))
def test_a_codebook_comes_back_with_its_digest(
    cameras: tuple[str, ...], labels: tuple[str, ...], individuals: tuple[str, ...], models: dict[str, str]
) -> None:
    book = Codebook("cam-1", "00ff00ff00ff00ff", cameras, labels, models, individuals=individuals)
    got = Codebook.from_bytes(book.to_bytes())
    assert got == book
    assert (got.digest, got.wire_id, got.tiny_id) == (book.digest, book.wire_id, book.tiny_id)


def test_the_document_is_canonical_json_and_the_ids_are_the_first_bits_of_its_hash() -> None:
    document = zlib.decompress(BOOK.to_bytes())
    assert document.decode() == (
        '{"cameras":["waterhole","Brücke"],"device":"mara-1","epoch":"0123456789abcdef",'
        '"labels":["animal","leopard"],"models":{"detector":"yolox-nano 1"},"time_zone":"Africa/Nairobi","v":1}'
    )
    digest = hashlib.sha256(document).digest()
    bits = f"{int.from_bytes(digest, 'big'):0256b}"
    assert BOOK.digest == digest
    assert (BOOK.wire_id, BOOK.tiny_id) == (int(bits[:14], 2), int(bits[:9], 2))


def test_another_epoch_is_another_codebook() -> None:
    assert replace(BOOK, epoch="0" * 16, body=b"").digest != BOOK.digest


def test_names_and_codes_lead_to_each_other_and_a_missing_one_is_a_payload_error() -> None:
    assert [BOOK.camera_name(BOOK.camera_code(name)) for name in BOOK.cameras] == list(BOOK.cameras)
    assert [BOOK.label_name(BOOK.label_code(name)) for name in BOOK.labels] == list(BOOK.labels)
    for missing in (
        lambda: BOOK.camera_code("river"),
        lambda: BOOK.label_code("unicorn"),
        lambda: BOOK.camera_name(2),
        lambda: BOOK.label_name(2),
        lambda: BOOK.label_name(-1),
    ):
        with pytest.raises(PayloadError, match="the codebook has"):
            missing()


def test_individuals_have_numbers_and_one_that_has_none_is_no_error() -> None:
    known = replace(BOOK, individuals=("F12", "Nala"), body=b"")
    assert [known.individual_number(name) for name in ("F12", "Nala", "F13")] == [0, 1, None]
    assert [known.individual_name(number) for number in (0, 1)] == ["F12", "Nala"]
    with pytest.raises(PayloadError, match="2 individuals"):
        known.individual_name(2)


def test_a_codebook_of_a_device_that_knows_no_individuals_is_what_it_was_before_there_were_any() -> None:
    assert "individuals" not in json.loads(BOOK.body)
    assert Codebook.from_bytes(packed()).individuals == ()
    assert BOOK.individual_name(7) is None


@pytest.mark.parametrize("envelope", Envelope)
def test_a_message_names_its_codebook_in_either_envelope(envelope: Envelope) -> None:
    own = BOOK.tiny_id if envelope is Envelope.TINY else BOOK.wire_id
    message = Message(envelope, MessageType.LOSS, own, 1, ClockQuality.CAMERA, (LossRecord(0, 1, 0),))
    assert BOOK.matches(message)
    assert not BOOK.matches(replace(message, codebook=own ^ 1))


def test_fields_of_a_newer_device_are_skipped_and_count_in_the_digest() -> None:
    payload = packed(moon="full", tree=[[{"deep": 1}]])
    got = Codebook.from_bytes(payload)
    assert (got.cameras, got.labels, got.epoch) == (BOOK.cameras, BOOK.labels, BOOK.epoch)
    assert got.digest == hashlib.sha256(zlib.decompress(payload)).digest() != BOOK.digest
    assert Codebook.from_bytes(got.to_bytes()).digest == got.digest


def test_a_codebook_of_a_later_version_is_unknown_whatever_else_it_says() -> None:
    with pytest.raises(UnknownPayloadError, match="version 2"):
        Codebook.from_bytes(zlib.compress(b'{"v":2,"cameras":7}'))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_codebook_or_a_payload_error(payload: bytes) -> None:
    for tried in (payload, zlib.compress(payload)):
        with pytest.raises(PayloadError):
            Codebook.from_bytes(tried)


@given(st.data())
def test_a_cut_codebook_or_one_with_more_behind_it_is_a_payload_error(data: st.DataObject) -> None:
    whole = BOOK.to_bytes()
    for tried in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0"):
        with pytest.raises(PayloadError, match="no codebook"):
            Codebook.from_bytes(tried)


def test_no_flipped_bit_changes_what_a_codebook_says() -> None:
    whole = BOOK.to_bytes()
    refused = 0
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        try:
            assert Codebook.from_bytes(bytes(flipped)).body == BOOK.body
        except PayloadError:
            refused += 1
    # Only the few bits that fill the last byte of the compressed data mean nothing.
    assert refused >= len(whole) * 8 - 7


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": "0123"},
        {"epoch": "0123456789ABCDEF"},
        {"epoch": "0123456789abcdef\n"},
        {"cameras": "waterhole"},
        {"labels": [1, 2]},
        {"individuals": {"F12": 0}},
        {"models": ["x"]},
        {"v": "1"},
        {"v": None},
        {"device": None},
    ],
)
def test_a_document_of_another_shape_is_a_payload_error(changes: dict[str, object]) -> None:
    with pytest.raises(PayloadError) as raised:
        Codebook.from_bytes(packed(**changes))
    assert not isinstance(raised.value, UnknownPayloadError)


def test_a_document_nested_without_end_is_a_payload_error() -> None:
    deep = json.dumps(json.loads(BOOK.body))[:-1] + ',"x":' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(PayloadError):
        Codebook.from_bytes(zlib.compress(deep.encode()))


def test_a_payload_that_unpacks_to_a_hundred_megabytes_is_refused_before_they_are_in_memory() -> None:
    squeezer = zlib.compressobj(9)
    million = b" " * 1_000_000
    bomb = b"".join(squeezer.compress(million) for _ in range(100)) + squeezer.flush()
    assert len(bomb) < 128 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError, match="unpacks to more than 262144"):
            Codebook.from_bytes(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BODY
    with pytest.raises(PayloadError, match="more than 131072"):
        Codebook.from_bytes(bytes(131_073))


def test_a_codebook_that_no_station_would_take_is_not_made() -> None:
    with pytest.raises(PayloadError, match="is more than"):
        replace(BOOK, labels=("x" * MAX_BODY,), body=b"")
    with pytest.raises(PayloadError, match="rename"):
        replace(BOOK, cameras=("\udcff",), body=b"")


def test_a_codebook_of_2500_labels_and_50_cameras_is_accepted() -> None:
    labels = tuple(f"genus{i} species{i * 7919 % 99991}" for i in range(2500))
    book = replace(BOOK, labels=labels, cameras=tuple(f"camera {i}" for i in range(50)), body=b"")
    assert Codebook.from_bytes(book.to_bytes()) == book
