from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink.ack import Ack, acknowledged

DIGEST = bytes(range(32))

acks = st.builds(
    Ack,
    codebook=st.binary(min_size=4, max_size=4),
    contiguous=st.integers(0, 2**16 - 1),
    bitmap=st.binary(max_size=8).map(lambda bitmap: bitmap.rstrip(b"\0")),
    wants_codebook=st.booleans(),
)


@given(acks)
def test_an_ack_comes_back_in_7_to_15_bytes(ack: Ack) -> None:
    assert Ack.decode(ack.encode()) == ack
    assert 7 <= len(ack.encode()) <= 15


@given(st.binary(max_size=20))
def test_any_bytes_are_an_ack_or_a_payload_error(payload: bytes) -> None:
    try:
        ack = Ack.decode(payload)
    except PayloadError:
        return
    assert Ack.decode(ack.encode()) == ack


@given(st.integers(0, 10**7), st.sets(st.integers(2, 65)), st.integers(-32_000, 32_000))
def test_the_device_reads_the_numbers_that_the_station_committed(
    contiguous: int, further: set[int], distance: int
) -> None:
    committed = {contiguous + step for step in further}
    ack = Ack.decode(Ack.build(DIGEST, contiguous, committed).encode())
    assert acknowledged(ack, max(1, contiguous + distance)) == (contiguous, tuple(sorted(committed)))


def test_what_lies_outside_the_bitmap_is_not_named() -> None:
    ack = Ack.build(DIGEST, 10, [3, 10, 11, 12, 75, 76, 10_000])
    assert acknowledged(ack, 5) == (10, (12, 75))


def test_a_station_that_has_nothing_yet_acknowledges_nothing() -> None:
    ack = Ack.build(DIGEST, 0, [2])
    assert acknowledged(ack, 1) == (0, (2,))
    assert acknowledged(Ack.build(DIGEST, 0), 0) == (0, ())


def test_an_ack_is_about_the_first_four_bytes_of_the_digest() -> None:
    assert Ack.build(DIGEST, 7).codebook == DIGEST[:4]


def test_asking_carries_the_wire_id_left_aligned_and_names_no_record() -> None:
    ack = Ack.asking(0b11_0000_0000_0001)
    assert ack.encode().hex() == "11c0040000" + "0000"
    assert ack.wants_codebook


def test_a_reader_passes_over_flags_that_it_does_not_know() -> None:
    plain = Ack.build(DIGEST, 7).encode()
    assert Ack.decode(bytes([plain[0] | 0b1110]) + plain[1:]) == Ack.decode(plain)


def test_an_ack_of_a_later_version_is_unknown_and_one_of_version_zero_is_garbage() -> None:
    with pytest.raises(UnknownPayloadError):
        Ack.decode(bytes([0x20]) + bytes(40))
    with pytest.raises(PayloadError) as raised:
        Ack.decode(bytes(7))
    assert not isinstance(raised.value, UnknownPayloadError)


@pytest.mark.parametrize("ack", [Ack(b"abc", 1), Ack(b"abcd", -1), Ack(b"abcd", 65536), Ack(b"abcd", 1, bytes(9))])
def test_an_ack_that_has_no_place_on_the_wire_is_not_made(ack: Ack) -> None:
    with pytest.raises(PayloadError):
        ack.encode()
