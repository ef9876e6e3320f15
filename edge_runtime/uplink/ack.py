"""The station's acknowledgement: which records it has committed, and whether it lacks a codebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink.sequences import unwrap

VERSION = 1
BITMAP_BYTES = 8
_HEAD_BYTES = 7


@dataclass(frozen=True, slots=True)
class Ack:
    """What a station tells a device; PAYLOAD.md, section Acknowledgement."""

    codebook: bytes
    """The first 4 bytes of the digest of a codebook of the epoch that this is about."""
    contiguous: int
    """Everything up to and including this sequence number is committed; as on the wire, 16 bits."""
    bitmap: bytes = b""
    """0 to 8 bytes; bit k, the most significant first: `contiguous + 2 + k` is committed as well."""
    wants_codebook: bool = False
    """The station holds messages whose codebook it lacks: publish it again."""

    @classmethod
    def build(
        cls, digest: bytes, contiguous: int, committed: Iterable[int] = (), *, wants_codebook: bool = False
    ) -> Ack:
        """An ack from full sequence numbers.

        Args:
            digest: of a codebook of the epoch, its first 4 bytes or more.
            contiguous: 0 where not even the first record is there.
            committed: numbers beyond; those for which the bitmap has no place are passed over.
        """
        bitmap = bytearray(BITMAP_BYTES)
        for sequence in committed:
            place = sequence - contiguous - 2
            if 0 <= place < 8 * BITMAP_BYTES:
                bitmap[place // 8] |= 0x80 >> place % 8
        return cls(bytes(digest[:4]), contiguous % 2**16, bytes(bitmap).rstrip(b"\0"), wants_codebook)

    @classmethod
    def asking(cls, wire_id: int) -> Ack:
        """The ack of a station that has no codebook with this 14-bit id, and so acknowledges nothing."""
        return cls((wire_id << 18).to_bytes(4, "big"), 0, wants_codebook=True)

    def encode(self) -> bytes:
        """7 to 15 bytes.

        Raises:
            PayloadError: a field has no place on the wire.
        """
        if len(self.codebook) != 4 or len(self.bitmap) > BITMAP_BYTES or not 0 <= self.contiguous < 2**16:
            raise PayloadError("an ack takes 4 bytes of digest, a number of 16 bits and at most 8 bytes of bitmap")
        head = bytes([VERSION << 4 | self.wants_codebook])
        return head + self.codebook + self.contiguous.to_bytes(2, "big") + self.bitmap.rstrip(b"\0")

    @classmethod
    def decode(cls, payload: bytes) -> Ack:
        """The ack that `payload` carries.

        Raises:
            UnknownPayloadError: of a later version.
            PayloadError: no ack.
        """
        if not payload:
            raise PayloadError("an empty ack")
        if payload[0] >> 4 > VERSION:
            raise UnknownPayloadError(f"ack version {payload[0] >> 4} is not known to this program", bit=0)
        if payload[0] >> 4 != VERSION or not _HEAD_BYTES <= len(payload) <= _HEAD_BYTES + BITMAP_BYTES:
            raise PayloadError(f"{len(payload)} bytes are no ack")
        return cls(
            codebook=bytes(payload[1:5]),
            contiguous=int.from_bytes(payload[5:7], "big"),
            bitmap=bytes(payload[7:]).rstrip(b"\0"),
            wants_codebook=bool(payload[0] & 1),
        )


def acknowledged(ack: Ack, expected: int) -> tuple[int, tuple[int, ...]]:
    """The full sequence numbers that an ack names.

    The caller has made sure that `ack.codebook` belongs to its present epoch, and disregards numbers that it
    has not given yet.

    Args:
        expected: the lowest sequence that is not acknowledged yet.

    Returns:
        (up_to, further): everything up to and including `up_to` (0 for nothing), and single numbers beyond.
    """
    # contiguous + 1 is the first missing one and so at least 1, which contiguous itself need not be.
    up_to = unwrap((ack.contiguous + 1) % 2**16, expected, 16) - 1
    further = (up_to + 2 + k for k in range(8 * len(ack.bitmap)) if ack.bitmap[k // 8] & 0x80 >> k % 8)
    return up_to, tuple(further)
