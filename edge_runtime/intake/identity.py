"""Reading a photo's bytes once, and the hash that it is known by."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from edge_runtime.device import disks
from edge_runtime.errors import CardGoneError, IncompletePhotoError, PhotoError, StoppedError, UnreadablePhotoError
from edge_runtime.values import FileStamp

MAX_BYTES = 128 * 1024 * 1024
"""A larger file is refused before it is read; camera-trap photos have 0.1 to 20 MB."""

# NOFOLLOW: a link that took the file's place since the scan must not lead out of the card.
# NONBLOCK: neither must a pipe stop us for ever.
_PLAIN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DEVICE_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ENOMEDIUM})
_BLOCK = 1 << 20
_CHANGED = "changed while it was read"
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


def read(stamp: FileStamp, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The whole file, exactly as the scan saw it.

    Raises:
        IncompletePhotoError: it changed since the scan or while it was read.
        CardGoneError: the card vanished; told from a single bad file by listing the file's folders.
        UnreadablePhotoError: larger than `max_bytes`, or no plain file.
        PhotoError: the system refuses this one file, in the system's words; not final.
    """
    with opened(stamp, max_bytes=max_bytes) as stream:
        # One byte more than it should have: a file that grew shows itself even where its time does not.
        data = stream.read(stamp.size + 1)
        if len(data) != stamp.size:
            raise IncompletePhotoError(stamp.full_path, _CHANGED)
        return data


@contextlib.contextmanager
def opened(stamp: FileStamp, *, max_bytes: int | None = None) -> Iterator[FileIO]:
    """The file, open for reading without a buffer of ours: it is as the scan saw it, and still is at the end.

    Raises:
        IncompletePhotoError: it changed since the scan, or while it was open.
        CardGoneError, UnreadablePhotoError, PhotoError: as `read`; whatever the caller's reading met included.
    """
    try:
        handle = os.open(stamp.full_path, _PLAIN)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise UnreadablePhotoError(stamp.full_path, "no plain file")
            if max_bytes is not None and before.st_size > max_bytes:
                raise UnreadablePhotoError(stamp.full_path, f"larger than {max_bytes // 2**20} MiB")
            if (before.st_size, before.st_mtime_ns) != (stamp.size, stamp.mtime_ns):
                raise IncompletePhotoError(stamp.full_path, "changed since it was scanned")
            yield FileIO(handle, closefd=False)
            after = os.fstat(handle)
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise IncompletePhotoError(stamp.full_path, _CHANGED)
        finally:
            os.close(handle)
    except OSError as error:
        raise _explain(error, stamp) from error


def announce(stamp: FileStamp) -> None:
    """Have the system fetch the file from the card meanwhile; what is wrong with it, `read` will say."""
    if not hasattr(os, "posix_fadvise") or stamp.size > MAX_BYTES:
        return  # a long video would drive out of memory what is needed sooner
    with contextlib.suppress(OSError):
        handle = os.open(stamp.full_path, _PLAIN)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(handle)


def file_hash(stream: FileIO, stopped: Callable[[], bool] = lambda: False) -> bytes:
    """SHA-256 (32 bytes) of all that is in the open file, block by block; `stopped` is asked between two of them.

    Raises:
        OSError: it cannot be read.
        StoppedError: `stopped` said so.
    """
    digest, block = hashlib.sha256(), bytearray(_BLOCK)
    stream.seek(0)
    while count := stream.readinto(block):
        digest.update(memoryview(block)[:count])
        if stopped():
            raise StoppedError(Path(str(stream.name)))
    return digest.digest()


def picture_hash(data: bytes, end: int) -> bytes:
    """SHA-256 (32 bytes) of the picture `data[:end]`; what a camera appends after its end does not count."""
    return hashlib.sha256(memoryview(data)[:end]).digest()


def _explain(error: OSError, stamp: FileStamp) -> CardGoneError | PhotoError:
    reason = error.strerror or str(error)
    gone = _gone_folder(stamp)
    if gone is None and error.errno in _DEVICE_GONE:
        gone = stamp.card
    if gone is None and error.errno == errno.ENOENT and _is_empty(stamp.full_path.parent):
        gone = stamp.full_path.parent  # what an unmounted mount point looks like
    if gone is None and error.errno == errno.ENOENT and not _is_deleted(stamp.full_path):
        gone = stamp.card  # for a moment: it may be back already
    if gone is not None:
        return CardGoneError(gone, reason)
    return PhotoError(stamp.full_path, reason, final=False)


def _gone_folder(stamp: FileStamp) -> Path | None:
    """The highest folder on the way to the file that cannot be listed any more, or lies on a device that was pulled:
    it may still be mounted, and what the kernel remembers of it can still be listed."""
    for part in reversed(stamp.path.parents):
        folder = stamp.card / part
        try:
            with os.scandir(folder) as listing:
                next(listing, None)
            if disks.is_pulled(folder):
                return folder
        except OSError as error:
            if error.errno not in _FORBIDDEN:
                return folder
    return None


def _is_deleted(file: Path) -> bool:
    """Whether the file's own folder is there and lacks it; judged in the folder itself, whatever its path does."""
    try:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.stat(file.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        os.close(folder)
    return False


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as listing:
            return next(listing, None) is None
    except OSError:
        return True
