from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.uplink.payload import Envelope
from edge_runtime.uplink.sequences import BITS, unwrap, wrap

envelopes = st.sampled_from(Envelope)
expected_numbers = st.integers(0, 10**9) | st.integers(0, 200)


@given(envelopes, expected_numbers, st.data())
def test_a_sequence_within_half_the_wires_numbers_of_the_expected_is_recovered(
    envelope: Envelope, expected: int, data: st.DataObject
) -> None:
    reach = 2 ** (BITS[envelope] - 1) - 1
    sequence = data.draw(st.integers(max(1, expected - reach), expected + reach))
    assert unwrap(wrap(sequence, envelope), expected, BITS[envelope]) == sequence


@given(envelopes, expected_numbers, st.integers(0, 2**16 - 1))
def test_an_unwrapped_number_agrees_with_the_wire_is_never_below_one_and_no_nearer_one_exists(
    envelope: Envelope, expected: int, wire: int
) -> None:
    whole = 1 << BITS[envelope]
    number = unwrap(wire % whole, expected, BITS[envelope])
    assert wrap(number, envelope) == wire % whole
    assert number >= 1
    for other in (number - whole, number + whole):
        assert other < 1 or abs(other - expected) >= abs(number - expected)


def test_at_the_begin_of_an_epoch_zero_on_the_wire_is_the_first_number_that_wraps_to_it() -> None:
    assert unwrap(0, 1, 16) == 65536
    assert unwrap(65535, 1, 16) == 65535
    assert unwrap(1, 1, 16) == 1
    assert unwrap(255, 0, 8) == 255
