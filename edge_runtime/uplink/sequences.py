"""Sequence numbers: full integers from 1 inside programs, their lower bits on the wire."""

from __future__ import annotations

from edge_runtime.uplink.payload import Envelope

BITS = {Envelope.STANDARD: 16, Envelope.TINY: 8}
"""Bits of a sequence number by envelope."""


def unwrap(wire: int, expected: int, bits: int) -> int:
    """The full number nearest to `expected` whose lower `bits` bits are `wire`, but never below 1.

    Of two that are equally near it is the larger one. It is right while a device keeps less than half of the
    wire's numbers in flight, as PAYLOAD.md demands.
    """
    whole = 1 << bits
    ahead = (wire - expected) % whole
    number = expected + (ahead if ahead <= whole // 2 else ahead - whole)
    return number if number >= 1 else number + whole * ((whole - number) // whole)


def wrap(sequence: int, envelope: Envelope) -> int:
    """A full number as the envelope carries it."""
    return sequence % (1 << BITS[envelope])
