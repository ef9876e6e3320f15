from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PayloadError
from edge_runtime.uplink.bits import BitReader, BitWriter
from edge_runtime.uplink.scales import DURATIONS_S, IMAGES, nearest

fields = st.lists(
    st.integers(1, 40).flatmap(lambda width: st.tuples(st.just(width), st.integers(0, 2**width - 1))), max_size=40
)


@given(fields)
def test_fields_of_any_width_come_back_in_order(written: list[tuple[int, int]]) -> None:
    writer = BitWriter()
    for width, value in written:
        writer.write(value, width, "field")
    payload = writer.to_bytes()
    reader = BitReader(payload)
    assert [(width, reader.read(width, "field")) for width, _ in written] == written
    assert len(payload) == writer.size == (sum(width for width, _ in written) + 7) // 8
    reader.finish()


@given(fields, fields)
def test_rolling_back_leaves_what_stood_before_the_mark(
    kept: list[tuple[int, int]], dropped: list[tuple[int, int]]
) -> None:
    writer, plain = BitWriter(), BitWriter()
    for width, value in kept:
        writer.write(value, width, "field")
        plain.write(value, width, "field")
    mark = writer.mark()
    for width, value in dropped:
        writer.write(value, width, "field")
    writer.roll_back(mark)
    writer.write(5, 3, "after")
    plain.write(5, 3, "after")
    assert writer.to_bytes() == plain.to_bytes()


@given(st.integers(0, 2**32 - 1))
def test_a_number_in_groups_comes_back_and_takes_five_bits_for_each_four(value: int) -> None:
    writer = BitWriter()
    writer.write_groups(value, "photos")
    reader = BitReader(writer.to_bytes())
    assert reader.read_groups("photos") == value
    assert reader.position == 5 * max(1, (value.bit_length() + 3) // 4)


def test_groups_without_an_end_are_refused_after_eight() -> None:
    reader = BitReader(b"\xff" * 100)
    with pytest.raises(PayloadError, match="longer than 32 bits"):
        reader.read_groups("photos")
    assert reader.position == 40


def test_reading_past_the_end_names_the_field_and_its_bit() -> None:
    reader = BitReader(b"\xff")
    reader.read(6, "camera")
    with pytest.raises(PayloadError, match=r"'duration' \(envelope\) \(at bit 6\)") as raised:
        reader.read(5, "duration")
    assert raised.value.bit == 6


@given(st.sampled_from([DURATIONS_S, IMAGES]), st.integers(0, 100_000), st.integers(0, 100_000))
def test_a_scale_never_turns_two_values_around(scale: tuple[int, ...], one: int, other: int) -> None:
    assert (nearest(scale, min(one, other))) <= nearest(scale, max(one, other))


@given(st.sampled_from([DURATIONS_S, IMAGES]), st.integers(0, 100_000))
def test_a_scale_takes_the_nearest_of_its_values(scale: tuple[int, ...], value: int) -> None:
    assert abs(scale[nearest(scale, value)] - value) == min(abs(mark - value) for mark in scale)


def test_small_values_are_exact() -> None:
    assert [DURATIONS_S[nearest(DURATIONS_S, value)] for value in range(5)] == [0, 1, 2, 3, 4]
    assert [IMAGES[nearest(IMAGES, value)] for value in range(1, 7)] == [1, 2, 3, 4, 5, 6]


def test_of_two_values_equally_near_the_larger_is_taken() -> None:
    assert DURATIONS_S[nearest(DURATIONS_S, 5)] == 6
    assert IMAGES[nearest(IMAGES, 9)] == 12
