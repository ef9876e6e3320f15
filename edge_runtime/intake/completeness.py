"""Is a photo file all there? Judged from its bytes alone, by the structure of its format.

Cards are pulled while cameras write, cameras run out of power, copies break off. A file is believed to
be complete only where its own structure proves it: a JPEG from its first marker to its end-of-image marker
(ITU-T T.81, annex B; embedded thumbnails are skipped by their segment's length), the pictures that a Multi-Picture
Format index lists (CIPA DC-007), the chunks of PNG (with their checksums) and WebP, the strips and tiles of TIFF,
the pixels of BMP.

What structure cannot show: a JPEG that runs into the middle of an older one (clusters that were allocated but
never written) has an end after all. It is caught only where the older photo's start is among the remains.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from edge_runtime.errors import IncompletePhotoError, UnreadablePhotoError

_NO_PICTURE = "no JPEG, PNG, TIFF, BMP or WebP picture"
_PADDING = b"\x00\xff"
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Whole:
    """A picture that is all there."""

    end: int
    """Bytes of the primary picture, from the file's start; identity is hashed over these."""
    certain: bool
    """False where something follows (or pads) the picture whose own end nobody can prove: the file may still be
    growing, so it is believed once it stops changing."""


def check(data: bytes, file: Path = Path("photo")) -> Whole:
    """Judge `data`, all bytes of a file; `file` only names it in errors.

    Raises:
        IncompletePhotoError: the picture's structure ends before it should; an empty file too.
        UnreadablePhotoError: no picture of a known format.
    """
    if not data:
        raise IncompletePhotoError(file, "empty file")
    if not data[:16].strip(_PADDING):
        # Space that was reserved, or erased flash, before the camera or the copy got to write the start.
        raise IncompletePhotoError(file, "no picture yet, only padding")
    for magic, judge in _FORMATS:
        head = data[: len(magic)]
        if head == magic:
            return judge(data, file)
        if magic.startswith(head):
            raise IncompletePhotoError(file, f"only {len(data)} bytes")
    raise UnreadablePhotoError(file, _NO_PICTURE)


# --- JPEG ---------------------------------------------------------------------------------------------------------

# Within entropy-coded data FF is followed by 00 (a stuffed byte), by RST0..7, or by FF (fill).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _APP2 = 0xD8, 0xD9, 0xDA, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITH_LENGTH = frozenset(range(0xC0, 0xD0)) | frozenset(range(0xDA, 0xF0)) | {0xFE}

# Bolymedia cameras append a table of exposure values, lines that each begin with CC BB; the last is LS15.
_BOLYMEDIA = re.compile(rb"\xcc\xbb\x11.*\r\n\xcc\xbbLS15\.\.[^\r\n]*\r\n\xcc\xbb", re.DOTALL)
# AccuSoft ImageGear appends a small directory that ends with its own offset in the file, and 8.
_ACCUSOFT = re.compile(rb".{8}phtv(?P<offset>.{4})\x08\0\0\0", re.DOTALL)
_ACCUSOFT_TAIL = 20


@dataclass(frozen=True, slots=True)
class _Jpeg:
    end: int
    """One past the end-of-image marker."""
    index: tuple[int, int] | None
    """Where the Multi-Picture index lies: first byte and one past the last; None where there is none."""


def _check_jpeg(data: bytes, file: Path) -> Whole:
    jpeg = _walk_jpeg(data, 0, file)
    end = jpeg.end
    if jpeg.index is None:
        return Whole(end, certain=_trailer_is_whole(data, end))
    pictures = _indexed_pictures(data, *jpeg.index)
    if not pictures or pictures[0] != (0, end):
        # The index is damaged, or left over from before the photo was edited: it proves nothing.
        return Whole(end, certain=False)
    last = end
    for start, stop in pictures[1:]:
        if stop > len(data) and not data[end:].strip(_PADDING):
            # Editors drop the previews and keep the index; a cut exactly there looks the same.
            return Whole(end, certain=False)
        if stop > len(data) or _walk_jpeg(data, start, file).end > stop:
            raise IncompletePhotoError(file, "ends before its last indexed picture does")
        last = max(last, stop)
    return Whole(end, certain=_trailer_is_whole(data, last))


def _walk_jpeg(data: bytes, start: int, file: Path) -> _Jpeg:
    if data[start : start + 2] != b"\xff\xd8":
        raise IncompletePhotoError(file, "an indexed picture is not there yet")
    position, has_frame, has_scan = start + 2, False, False
    index: tuple[int, int] | None = None
    while True:
        marker = _MARKER.search(data, position)
        if marker is None:
            raise IncompletePhotoError(file, "ends before its picture does")
        code, position = data[marker.start() + 1], marker.end()
        if code == _EOI:
            if not (has_frame and has_scan):
                raise UnreadablePhotoError(file, "a JPEG without a picture in it")
            return _Jpeg(position, index)
        if code == _SOI:
            # The file was cut, and what follows are the remains of an older photo on the card.
            raise IncompletePhotoError(file, "another picture begins before this one ends")
        if code not in _WITH_LENGTH or (has_scan and code in _FRAMES):
            continue  # damage within the picture: its end decides, the decoder copes
        after = position + int.from_bytes(data[position : position + 2], "big")
        if after < position + 2 or after > len(data):
            raise IncompletePhotoError(file, "ends within a segment")
        has_frame |= code in _FRAMES
        has_scan |= code == _SOS
        if code == _APP2 and index is None and data[position + 2 : position + 6] == b"MPF\0":
            index = position + 6, after
        position = after


def _indexed_pictures(data: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """First byte and one past the last of every picture that the index lists; empty where it is damaged."""
    block = data[start:stop]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return []
    try:
        (directory,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, directory)
        tags = [struct.unpack_from(order + "HHII", block, directory + 2 + 12 * i) for i in range(count)]
        entries = next((offset, size // 16) for tag, _, size, offset in tags if tag == 0xB002)
        pictures = [struct.unpack_from(order + "4xII", block, entries[0] + 16 * i) for i in range(entries[1])]
    except (struct.error, StopIteration):
        return []
    # Offsets count from the index itself, but the first picture's is 0 and means the file's start.
    return [(start + offset if offset else 0, (start + offset if offset else 0) + size) for size, offset in pictures]


def _trailer_is_whole(data: bytes, end: int) -> bool:
    tail = data[end:]
    if not tail.strip(_PADDING) or _BOLYMEDIA.fullmatch(tail.rstrip(_PADDING)):
        return True
    accusoft = _ACCUSOFT.fullmatch(tail[-_ACCUSOFT_TAIL:])
    return accusoft is not None and int.from_bytes(accusoft["offset"], "little") == len(data) - _ACCUSOFT_TAIL


# --- the others ---------------------------------------------------------------------------------------------------


def _check_png(data: bytes, file: Path) -> Whole:
    position = 8
    while True:
        head = data[position : position + 8]
        if len(head) < 8:
            raise IncompletePhotoError(file, "ends before its picture does")
        length, kind = struct.unpack(">I4s", head)
        after = position + 12 + length
        if after > len(data):
            raise IncompletePhotoError(file, "ends within a chunk")
        chunk = memoryview(data)[position + 4 : after - 4]
        if zlib.crc32(chunk) != int.from_bytes(data[after - 4 : after], "big"):
            raise IncompletePhotoError(file, "a chunk is unfinished or damaged")
        position = after
        if kind == b"IEND":
            return Whole(position, certain=not data[position:].strip(_PADDING))


def _check_webp(data: bytes, file: Path) -> Whole:
    if len(data) < 12:
        raise IncompletePhotoError(file, f"only {len(data)} bytes")
    if data[8:12] != b"WEBP":
        raise UnreadablePhotoError(file, _NO_PICTURE)
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise IncompletePhotoError(file, "ends before its picture does")
    position = 12
    while position < end:
        if not data[position : position + 4].strip(b"\0"):
            raise IncompletePhotoError(file, "a chunk is unfinished")
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    if position > end + 1:  # some writers leave out the last padding byte
        raise IncompletePhotoError(file, "ends within a chunk")
    return Whole(end, certain=_is_written(data, end) and not data[end:].strip(_PADDING))


def _check_bmp(data: bytes, file: Path) -> Whole:
    if len(data) < 34:
        raise IncompletePhotoError(file, f"only {len(data)} bytes")
    size, pixels, header = struct.unpack_from("<I4xII", data, 2)
    if header not in (12, 40, 52, 56, 64, 108, 124):
        raise UnreadablePhotoError(file, _NO_PICTURE)
    end = size
    if header == 12:
        width, height, bits, compression = *struct.unpack_from("<HH2xH", data, 18), 0
    else:
        width, height, bits, compression = struct.unpack_from("<ii2xHI", data, 18)
    if compression in (0, 3):
        # Rows are padded to 4 bytes; the size field is 0 or wrong in files of careless writers.
        end = pixels + (abs(width) * bits + 31) // 32 * 4 * abs(height)
    if end > len(data):
        raise IncompletePhotoError(file, "ends before its pixels do")
    if end <= pixels:
        raise UnreadablePhotoError(file, "a BMP without pixels")
    return Whole(end, certain=_is_written(data, end) and not data[end:].strip(_PADDING))


def _check_tiff(data: bytes, file: Path) -> Whole:
    big = 43 in data[2:4]
    if len(data) < 16:
        raise IncompletePhotoError(file, f"only {len(data)} bytes")
    directory = ImageFileDirectory_v2(data[: 16 if big else 8])
    stream = io.BytesIO(data)
    seen: set[int] = set()
    known_end = 0
    while directory.next and directory.next not in seen:
        offset = directory.next
        seen.add(offset)
        try:
            stream.seek(offset)
            directory.load(stream)  # warns of what is cut, and leaves it out
            strips = list(zip(*(directory.get(a) or directory[b] for a, b in _TIFF_PIXELS), strict=True))
            known_end = max(known_end, *(start + length for start, length in strips))
            known_end = max(known_end, stream.tell())
        except (KeyError, TypeError, ValueError, OSError, OverflowError, struct.error) as error:
            raise IncompletePhotoError(file, "ends before its directory does") from error
        if known_end > len(data):
            raise IncompletePhotoError(file, "ends before its pixels do")
    if not seen:
        raise IncompletePhotoError(file, "its directory is not there yet")
    # What a TIFF refers to may lie anywhere, so the whole file is the picture; and whatever lies behind the
    # last thing we know may be cut.
    return Whole(len(data), certain=known_end == len(data) and _is_written(data, known_end))


def _is_written(data: bytes, end: int) -> bool:
    """False where the last sector is all zeros: reserved space looks like that, and these formats have no end mark."""
    return bool(data[max(0, end - _SECTOR) : end].strip(b"\0"))


# Offsets and lengths of the strips, or else of the tiles.
_TIFF_PIXELS = ((0x0111, 0x0144), (0x0117, 0x0145))

_FORMATS = (
    (b"\xff\xd8\xff", _check_jpeg),
    (b"\x89PNG\r\n\x1a\n", _check_png),
    (b"RIFF", _check_webp),
    (b"BM", _check_bmp),
    (b"II*\0", _check_tiff),
    (b"MM\0*", _check_tiff),
    (b"II+\0", _check_tiff),
    (b"MM\0+", _check_tiff),
)
