"""Files that are whole or not there, with the right owner and permissions, and a lock so that commands take turns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_runtime.station.provisioning.errors import ProvisioningError

PRIVATE = 0o600
PUBLIC = 0o644
_UNFINISHED = ".part"


def write(file: Path, content: bytes, *, mode: int) -> None:
    """Replace `file` at once: after a power cut it has the old content or the new one.

    Raises:
        ProvisioningError: it cannot be written.
    """
    beside = _beside(file)
    try:
        _write_new(beside, content, mode)
        beside.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _failed(error, file) from error


def write_folder(folder: Path, contents: Mapping[str, tuple[bytes, int]]) -> None:
    """Make a folder that is complete from its first moment on; only its owner may look into it.

    Args:
        contents: a file's name to its bytes and mode.

    Raises:
        ProvisioningError: it is there already, or cannot be written.
    """
    must_be_free(folder)
    beside = _beside(folder)
    try:
        beside.mkdir(mode=0o700)
        _give_to_owner_of(folder.parent, beside)
        for name, (content, mode) in contents.items():
            _write_new(beside / name, content, mode)
        _sync_folder(beside)
        beside.rename(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise _failed(error, folder) from error


def must_be_free(path: Path) -> None:
    """Nothing that a person has is overwritten.

    Raises:
        ProvisioningError: something is there.
    """
    if path.exists():
        raise ProvisioningError("is there already", file=path, hint="move it away, or name another folder with -o")


def make_folder(folder: Path, mode: int, *, owner: str = "") -> None:
    """Make a folder where there is none; those above it have to be there.

    Args:
        owner: a user who gets it where there is such a user and root makes it; else it goes to the owner of the folder
            above.

    Raises:
        ProvisioningError: it cannot be made.
    """
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=mode)
        _give_to_owner_of(folder.parent, folder)
        if owner and os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(owner)
                os.chown(folder, user.pw_uid, user.pw_gid)
    except OSError as error:
        raise _failed(error, folder) from error


def read(file: Path) -> bytes | None:
    """The file's bytes; None where there is none.

    Raises:
        ProvisioningError: it is there and cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(error, file) from error


def sweep(folder: Path) -> None:
    """Remove what a power cut left half written. Only under the lock: nobody else is writing then."""
    for left in folder.glob(f".*{_UNFINISHED}"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Whoever else wants this lock waits until the block is left, however the process ends.

    Raises:
        ProvisioningError: the lock's file cannot be opened.
    """
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise _failed(error, file) from error
    try:
        _give_to_owner_of(file.parent, file)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")


def _write_new(file: Path, content: bytes, mode: int) -> None:
    # The mode is given at birth: a key is at no time readable for others.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        # Once more, for a umask may have taken of it what mosquitto needs; a stick's file system knows no modes.
        with contextlib.suppress(PermissionError):
            os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _give_to_owner_of(file.parent, file)


def _give_to_owner_of(folder: Path, made: Path) -> None:
    # With sudo everything would be root's, and neither mosquitto nor the station could read what is theirs.
    owner, present = folder.stat(), made.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (present.st_uid, present.st_gid):
        os.chown(made, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(error: OSError, file: Path) -> ProvisioningError:
    hints = {PermissionError: "run it as root, with sudo", FileNotFoundError: "a folder above it is missing"}
    hint = hints.get(type(error), "")
    return ProvisioningError(error.strerror or str(error), file=file, hint=hint)
