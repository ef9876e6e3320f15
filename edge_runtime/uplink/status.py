"""What a device tells of itself on its retained topic. PAYLOAD.md, section Status."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from edge_runtime.errors import PayloadError, UnknownPayloadError

VERSION = 1
MAX_BYTES = 8192


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device at one moment."""

    epoch: str
    """Of the journal, as in the codebook."""
    first: int
    """The lowest sequence that the device still holds; equal to `next` where nothing waits."""
    next: int
    """The sequence that the next record will get."""
    photos: int
    """Photos read in this epoch."""
    failed: int
    """Files that should be photos and could not be read or inferred."""
    waiting: int
    """Records that no station has acknowledged."""
    version: str
    """Of the program."""

    def to_bytes(self) -> bytes:
        """The JSON document of the status topic."""
        return msgspec.json.encode({"v": VERSION, **{name: getattr(self, name) for name in self.__slots__}})

    @classmethod
    def from_bytes(cls, payload: bytes) -> DeviceStatus:
        """The opposite of `to_bytes`, for bytes from anywhere; unknown fields are skipped.

        Raises:
            UnknownPayloadError: of a later version.
            PayloadError: no status.
        """
        if len(payload) > MAX_BYTES:
            raise PayloadError(f"a status of {len(payload)} bytes is more than {MAX_BYTES}")
        try:
            version = msgspec.json.decode(payload, type=_Version).v
            if version != VERSION:
                raise UnknownPayloadError(f"status version {version} is not known to this program")
            status = msgspec.json.decode(payload, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PayloadError(f"no status: {error}") from error
        if not (status.first >= 1 and status.next >= status.first and status.waiting >= 0):
            raise PayloadError(f"no status: first {status.first}, next {status.next}, waiting {status.waiting}")
        return status


class _Version(msgspec.Struct):
    v: int
