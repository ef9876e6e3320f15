"""The two layouts in which `torch.save` writes: a zip file (since PyTorch 1.6), and the run of pickles before it."""

from __future__ import annotations

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from export_tools.checkpoints import pickles, plain_values
from export_tools.checkpoints.errors import CheckpointError, damaged
from export_tools.checkpoints.tensors import Storages

LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The magic number with which an old file begins, as a pickle of its own."""
LEGACY_PROTOCOL = 1001
MAX_PICKLE_BYTES = 256 * 1024 * 1024
MAX_INFO_BYTES = 1024 * 1024
MAX_LINE = 64 * 1024

_INFO = "megadetector_info.json"
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error)


def read_zip(stream: BinaryIO, file: Path, file_bytes: int, *, trusted: bool) -> tuple[Any, Mapping[str, Any]]:
    """The content of a zip that `torch.save` wrote, and MegaDetector's notes inside it ({} without).

    Raises:
        CheckpointError: it is no such zip, is damaged, or is not to be trusted.
    """
    try:
        archive = zipfile.ZipFile(stream)
    except _ZIP_ERRORS as error:
        raise CheckpointError(
            file,
            "a zip file whose table of contents cannot be read: its end is missing or damaged",
            hint="the download broke off, most likely: get it again",
        ) from error
    with archive:
        records = _Records(archive, file, file_bytes)
        storages = Storages(file, file_bytes, records.storage, swapped=records.swapped)
        content = pickles.load(
            records.pickle(),
            file,
            makers=storages.makers() | plain_values.makers(),
            constants=storages.constants(),
            persistent=storages.persistent,
            trusted=trusted,
        )
        return content, records.info()


class _Records:
    """The records of a zip that `torch.save` wrote, all below one folder."""

    def __init__(self, archive: zipfile.ZipFile, file: Path, file_bytes: int) -> None:
        self._archive, self._file = archive, file
        entries = archive.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise damaged(file, "its zip holds two records of one name")
        roots = [name.removesuffix("/data.pkl") for name in self._entries if name.endswith("/data.pkl")]
        if len(roots) != 1 or "/" in roots[0]:
            raise CheckpointError(
                file,
                "a zip file, but not one that torch.save wrote: it has no data.pkl in its one folder",
                hint="if the checkpoint is inside this zip, unpack it first",
            )
        self._root = roots[0]
        if f"{self._root}/constants.pkl" in self._entries:
            raise CheckpointError(
                file,
                "a TorchScript program, not a checkpoint: its network is code, which is not run here",
                hint="export it to ONNX where it was made, and use 'edge-export import'",
            )
        notes = [name for name in self._entries if name.rpartition("/")[2] == _INFO]
        self._notes = self._entries[notes[0]] if len(notes) == 1 else None
        self._check_sizes(file_bytes)
        order = self._text("byteorder", sys.byteorder)
        if order not in ("little", "big"):
            raise damaged(file, f"its byte order is {order[:20]!r}")
        self.swapped = order != sys.byteorder

    def _check_sizes(self, file_bytes: int) -> None:
        # torch.save never compresses, so what the records declare can never be more than the file holds. The notes are
        # put in later, by other programs.
        entries = [entry for entry in self._entries.values() if entry is not self._notes]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise CheckpointError(
                self._file,
                "its records are compressed, which torch.save never does",
                hint="get the original file; a few compressed bytes can stand for more memory than there is",
            )
        if any(entry.flag_bits & 1 for entry in self._entries.values()):
            raise CheckpointError(self._file, "its records are encrypted", hint="get the file as torch.save wrote it")
        if sum(entry.file_size for entry in entries) > file_bytes:
            raise damaged(self._file, "its records declare more bytes than the file has")

    def pickle(self) -> pickles.Source:
        return BoundedSource(io.BytesIO(self._bytes(self._whole(f"{self._root}/data.pkl", MAX_PICKLE_BYTES))))

    def storage(self, key: str, length: int) -> bytearray:
        name = f"{self._root}/data/{key}"
        if name not in self._entries:
            raise damaged(self._file, f"the storage {key[:40]!r} is missing from its zip")
        entry = self._entries[name]
        if entry.file_size < length:
            raise damaged(self._file, f"the storage {key[:40]!r} has {entry.file_size} bytes of the {length} declared")
        return self._bytes(entry)

    def info(self) -> Mapping[str, Any]:
        if self._notes is None:
            return {}
        try:
            info = json.loads(self._bytes(self._whole(self._notes.filename, MAX_INFO_BYTES)))
        except (ValueError, RecursionError) as error:
            raise damaged(self._file, f"its {_INFO} is no JSON") from error
        if not isinstance(info, dict):
            raise damaged(self._file, f"its {_INFO} is no JSON object")
        return info

    def _text(self, name: str, default: str) -> str:
        name = f"{self._root}/{name}"
        if name not in self._entries:
            return default
        return bytes(self._bytes(self._whole(name, 100))).decode("latin-1").strip()

    def _whole(self, name: str, limit: int) -> zipfile.ZipInfo:
        entry = self._entries[name]
        if entry.file_size > limit:
            raise damaged(self._file, f"its record {name[:80]} has {entry.file_size} bytes; {limit} are plenty")
        return entry

    def _bytes(self, entry: zipfile.ZipInfo) -> bytearray:
        # Into memory that the tensors then share: each storage is in memory once.
        data = bytearray(entry.file_size)
        try:
            with self._archive.open(entry) as record:
                view, done = memoryview(data), 0
                while done < len(data):
                    count = record.readinto(view[done : done + 16 * 1024 * 1024])  # type: ignore[attr-defined]
                    if not count:
                        raise EOFError("it ends early")
                    done += count
                record.read(1)  # at its end, the record's checksum is compared
        except _ZIP_ERRORS as error:
            raise damaged(self._file, f"its record {entry.filename[:80]} cannot be read: {str(error)[:120]}") from error
        return data


class BoundedSource:
    """A stream for `pickles.load` in which no declared length makes Python set memory aside for it."""

    def __init__(self, stream: Any, end: int | None = None) -> None:
        self._stream, self._end, self._at = stream, end, 0 if end is None else stream.tell()

    def read(self, count: int, /) -> bytes:
        if self._end is not None:
            count = min(count, self._end - self._at)
        parts = []
        while count > 0:
            part = self._stream.read(min(count, 1024 * 1024))
            if not part:
                break
            parts.append(part)
            count -= len(part)
        data = b"".join(parts)
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        line: bytes = self._stream.readline(MAX_LINE)
        self._at += len(line)
        return line

    def tell(self) -> int:
        return self._at


def read_legacy(stream: BinaryIO, file: Path, file_bytes: int, *, trusted: bool) -> Any:
    """The content of a file as PyTorch wrote it before 1.6: pickles one after the other, then the storages.

    Raises:
        CheckpointError: it is damaged, or is not to be trusted.
    """
    source = BoundedSource(stream, file_bytes)
    expected = _Expected(file, file_bytes)
    plain = plain_values.makers()

    def part() -> Any:
        return pickles.load(source, file, makers=plain, persistent=_no_storages(file), trusted=False)

    part()  # the magic number, by which the file was recognised
    protocol, system = part(), part()
    if protocol != LEGACY_PROTOCOL or not isinstance(system, dict):
        raise damaged(file, f"its format is not the one of number {LEGACY_PROTOCOL}")
    swapped = system.get("little_endian", True) is not (sys.byteorder == "little")
    storages = Storages(file, file_bytes, expected.read)
    makers = storages.makers() | plain
    content = pickles.load(
        source,
        file,
        makers=makers,
        constants=storages.constants(),
        persistent=storages.persistent,
        trusted=trusted,
    )
    keys = part()
    if not isinstance(keys, list):
        raise damaged(file, "the list of its storages is missing")
    expected.fill(source, stream, keys, swapped=swapped)
    return content


def _no_storages(file: Path) -> Any:
    def persistent(_: Any) -> Any:
        raise damaged(file, "a storage stands where only plain values may")

    return persistent


class _Expected:
    """Storages that the pickle of an old file announces, and whose bytes follow it."""

    def __init__(self, file: Path, file_bytes: int) -> None:
        self._file, self._left = file, file_bytes
        self._storages: dict[str, bytearray] = {}

    def read(self, key: str, length: int) -> bytearray:
        self._left -= length
        if self._left < 0:
            raise damaged(self._file, "its storages declare more bytes than the file has")
        self._storages[key] = bytearray(length)
        return self._storages[key]

    def fill(self, source: BoundedSource, stream: BinaryIO, keys: list[Any], *, swapped: bool) -> None:
        for key in keys:
            count = int.from_bytes(source.read(8), "big" if swapped else "little", signed=True)
            storage = self._storages.pop(str(key)[:200], None)
            if storage is None:
                raise damaged(self._file, "it holds a storage that its pickle does not name")
            if not storage:
                if count:
                    raise damaged(self._file, f"the storage {str(key)[:40]!r} is not as long as it says")
                continue
            if count <= 0 or len(storage) % count or len(storage) // count not in (1, 2, 4, 8, 16):
                raise damaged(self._file, f"the storage {str(key)[:40]!r} is not as long as it says")
            if stream.readinto(memoryview(storage)) != len(storage):  # type: ignore[attr-defined]
                raise damaged(self._file, f"it ends inside the storage {str(key)[:40]!r}")
        if self._storages:
            raise damaged(self._file, f"{len(self._storages)} of its storages are missing")
