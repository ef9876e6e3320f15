"""Does a video end where it says that it ends? Judged by a few reads at the borders of its parts, whatever its size.

MP4 and its kin (ISO 14496-12): boxes, each with its length, of which one holds the index; AVI: RIFF chunks; Matroska
(RFC 9559): one segment with its length; ASF: the file's own size in its header. MPEG streams have no end to tell.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import BinaryIO

_SECTOR = 512
_MAX_PARTS = 100_000
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MATROSKA = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


class End(Enum):
    """Whether a video is all there."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """Its format does not tell, or its header was never completed."""


def find(stream: BinaryIO, size: int) -> End:
    """Judge the file of `size` bytes.

    Raises:
        OSError: it cannot be read.
    """
    head = _at(stream, 0, 16)
    if head[:4] == b"RIFF":
        end = _riff(stream, size)
    elif head[:4] == _MATROSKA:
        end = _matroska(stream, size)
    elif head == _ASF_HEADER:
        end = _asf(stream, size)
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        end = _boxes(stream, size)
    else:
        return End.UNKNOWN
    # Space that was reserved for a copy has its final size from the start.
    written = _at(stream, max(0, size - _SECTOR), _SECTOR).strip(b"\0")
    return end if written or end is not End.THERE else End.UNKNOWN


def _at(stream: BinaryIO, position: int, count: int) -> bytes:
    stream.seek(position)
    return stream.read(count)


def _boxes(stream: BinaryIO, size: int) -> End:
    position, index = 0, False
    for _ in range(_MAX_PARTS):
        if position == size:
            return End.THERE if index else End.MISSING
        head = _at(stream, position, 16)
        if len(head) < 8:
            return End.MISSING
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        elif length == 0:  # up to the file's end, wherever that is
            return End.UNKNOWN
        index |= kind == b"moov"
        if length < 8 or position + length > size:
            # What follows the index and is no box does no harm.
            return End.UNKNOWN if index and not kind.isalnum() else End.MISSING
        position += length
    return End.UNKNOWN


def _riff(stream: BinaryIO, size: int) -> End:
    """A long AVI has several of them (OpenDML); a camera fills in the lengths at the end."""
    position = 0
    for _ in range(_MAX_PARTS):
        head = _at(stream, position, 8)
        if head[:4] != b"RIFF" or len(head) < 8:
            return End.THERE if position else End.UNKNOWN
        (length,) = struct.unpack_from("<I", head, 4)
        if length < 4:
            return End.UNKNOWN
        if position + 8 + length > size:
            return End.MISSING
        position += 8 + length + length % 2
    return End.UNKNOWN


def _matroska(stream: BinaryIO, size: int) -> End:
    head = _at(stream, 0, 4096)
    start = head.find(_SEGMENT)
    if start < 0:
        return End.UNKNOWN
    start += len(_SEGMENT)
    first = head[start : start + 1]
    width = 9 - first[0].bit_length() if first and first[0] else 0
    coded = head[start : start + width]
    if not width or len(coded) < width:
        return End.UNKNOWN
    length = int.from_bytes(coded, "big") & ((1 << 7 * width) - 1)
    if length == (1 << 7 * width) - 1:
        return End.UNKNOWN
    return End.THERE if start + width + length <= size else End.MISSING


def _asf(stream: BinaryIO, size: int) -> End:
    head = _at(stream, 0, 4096)
    start = head.find(_ASF_FILE)
    if start < 0 or len(head) < start + 92:
        return End.UNKNOWN
    (stated,) = struct.unpack_from("<Q", head, start + 40)
    (flags,) = struct.unpack_from("<I", head, start + 88)
    if flags & 1 or not stated:  # written as a broadcast, or never completed
        return End.UNKNOWN
    return End.THERE if size >= stated else End.MISSING
