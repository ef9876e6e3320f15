"""Engines that were built on this device, kept so that minutes of building happen once.

A serialized engine is code for the GPU and for the library that loads it. So a file is used only where it belongs to
us, nobody else can write it, it was made from the very facts that hold now, and its bytes are those that were written.

A file holds three parts: a line that names the format, a line of JSON (`head -2 FILE` shows both), the engine.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import CamtrapEdgeError

FORMAT = b"camtrap-edge engine 1\n"
MOST = 12
"""Engines kept, of all graphs together; the least recently used go."""
_LONGEST_HEADER = 1 << 16
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_log = logging.getLogger(__name__)

Facts = Mapping[str, "str | int | bool"]
"""What an engine was made from and for. Among them `graph_sha256`, and `power_mode`, of which a device has several."""


class EngineCacheError(CamtrapEdgeError):
    """The folder of the built engines cannot be used."""

    def __init__(self, folder: Path, problem: str, *, hint: str = "") -> None:
        self.folder, self.problem, self.hint = folder, problem, hint
        super().__init__(f"{folder}: {problem}" + (f" ({hint})" if hint else ""))


class _RefusedError(Exception):
    """A kept file is not used; says why."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where engines lie: in systemd's `CacheDirectory=`, else in the user's cache (XDG Base Directory)."""
    # systemd names several folders with colons between them.
    if given := environment.get("CACHE_DIRECTORY", "").partition(":")[0]:
        return Path(given) / "engines"
    home = environment.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored, says the specification.
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "camtrap-edge" / "engines"


@dataclass(frozen=True)
class EngineCache:
    """Built engines in `folder`, which is ours alone."""

    folder: Path

    def engine(self, facts: Facts, build: Callable[[], bytes], *, needs: int = 0) -> bytes:
        """The engine for `facts`: the kept one, else what `build` makes, which is kept.

        One process builds at a time; the others wait and take what it built. Engines of the same graph that fit no
        longer are removed.

        Args:
            needs: bytes that the disk should have free before minutes are spent on building.

        Raises:
            EngineCacheError: the folder is not ours alone, or the engine cannot be written; nothing is half-written.
        """
        self._prepare()
        if (kept := self._kept(facts)) is not None:
            return kept
        with self._building():
            if (kept := self._kept(facts, quietly=True)) is not None:
                return kept
            self._check_space(needs)
            engine = build()
            self._write(facts, engine)
            self._tidy(facts)
        return engine

    def discard(self, facts: Facts) -> None:
        """Remove the engine for `facts`, if there is one.

        Raises:
            EngineCacheError: it cannot be removed.
        """
        try:
            self.file(facts).unlink(missing_ok=True)
        except OSError as error:
            raise EngineCacheError(self.folder, f"cannot remove an engine: {error.strerror}") from error

    def file(self, facts: Facts) -> Path:
        """Where the engine for `facts` lies, or would lie."""
        return self.folder / f"{_graph_part(facts)}-{hashlib.sha256(_as_json(facts)).hexdigest()[:16]}.engine"

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            hint = "name a folder that can be written in CACHE_DIRECTORY"
            raise EngineCacheError(self.folder, f"cannot be made: {error.strerror}", hint=hint) from error
        if (danger := _danger(found)) is not None:
            raise EngineCacheError(
                self.folder, danger, hint=f"chmod go-w {self.folder}, or name another folder in CACHE_DIRECTORY"
            )

    def _kept(self, facts: Facts, *, quietly: bool = False) -> bytes | None:
        file = self.file(facts)
        try:
            return _read(file, facts)
        except FileNotFoundError:
            return None
        except _RefusedError as refusal:
            if not quietly:
                _log.warning("%s: not used, and built again: %s", file, refusal)
        except OSError as error:
            if not quietly:
                _log.warning("%s: not used, and built again: cannot be read: %s", file, error.strerror)
        return None

    @contextmanager
    def _building(self) -> Iterator[None]:
        try:
            lock = os.open(self.folder / "building.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EngineCacheError(self.folder, f"cannot be written: {error.strerror}") from error
        try:
            self._wait_for(lock)
            yield
        finally:
            os.close(lock)

    def _wait_for(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process is building an engine in %s: waiting for it", self.folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for orphan in self.folder.glob("*.tmp"):
            # Whoever wrote it was killed: nobody else builds now.
            with suppress(OSError):
                orphan.unlink()

    def _check_space(self, needs: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needs:
            raise self._full(f"{free / 1e6:.1f} MB are free, {needs / 1e6:.1f} MB are needed for an engine")

    def _write(self, facts: Facts, engine: bytes) -> None:
        header = {"facts": dict(facts), "bytes": len(engine), "sha256": hashlib.sha256(engine).hexdigest()}
        temporary: Path | None = None
        try:
            # Made with mode 0600.
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".tmp", delete=False) as stream:
                temporary = Path(stream.name)
                stream.write(FORMAT + _as_json(header) + b"\n")
                stream.write(engine)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.file(facts))
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._full(f"cannot keep the engine of {len(engine) / 1e6:.1f} MB: {error.strerror}") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def _full(self, problem: str) -> EngineCacheError:
        hint = "free some space, or name a folder on another disk in CACHE_DIRECTORY"
        return EngineCacheError(self.folder, problem, hint=hint)

    def _tidy(self, facts: Facts) -> None:
        """Remove this graph's engines of another driver, GPU or TensorRT, and of all graphs what goes beyond `MOST`.

        Those of the device's other power modes stay: it goes back to them.
        """
        latest = self.file(facts)
        files = [file for file in self.folder.glob("*.engine") if file != latest]
        stale = {file for file in files if file.name.startswith(_graph_part(facts)) and not _another_mode(file, facts)}
        left = sorted((file for file in files if file not in stale), key=_last_used, reverse=True)
        for file in {*stale, *left[MOST - 1 :]}:
            _log.info("%s: removed, it is used no more", file)
            with suppress(OSError):
                file.unlink()


def _read(file: Path, facts: Facts) -> bytes:
    # What is checked and what is read is one and the same open file.
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _RefusedError("is no regular file")
        if (danger := _danger(found)) is not None:
            raise _RefusedError(danger)
        if stream.readline(len(FORMAT)) != FORMAT:
            raise _RefusedError("is no engine of this format")
        try:
            header = json.loads(stream.readline(_LONGEST_HEADER))
            made_from, size, digest = header["facts"], header["bytes"], header["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise _RefusedError("its header is damaged") from error
        if made_from != dict(facts):
            raise _RefusedError(f"was made for {_differences(made_from, facts)}")
        engine = stream.read()
        if len(engine) != size:
            raise _RefusedError(f"has {len(engine)} bytes of {size}")
        if hashlib.sha256(engine).hexdigest() != digest:
            raise _RefusedError("its bytes are not those that were written (sha256)")
        with suppress(OSError):
            os.utime(handle)
    return engine


def _danger(found: os.stat_result) -> str | None:
    if found.st_uid != os.geteuid():
        return f"belongs to another user (uid {found.st_uid}, not {os.geteuid()}), who could put any code into it"
    if found.st_mode & _OTHERS_WRITE:
        return f"can be written by others (mode {stat.S_IMODE(found.st_mode):04o}), who could put any code into it"
    return None


def _differences(made_from: object, facts: Facts) -> str:
    if not isinstance(made_from, dict):
        return "nothing that it names"
    names = [name for name in {**facts, **made_from} if made_from.get(name) != facts.get(name)]
    return ", ".join(f"{name} {made_from.get(name)!r}, not {facts.get(name)!r}" for name in names)


def _another_mode(file: Path, facts: Facts) -> bool:
    """Whether the file's facts differ from `facts` in nothing but the power mode."""
    try:
        with file.open("rb") as stream:
            stream.readline(len(FORMAT))
            made_from = json.loads(stream.readline(_LONGEST_HEADER))["facts"]
        return bool({**made_from, "power_mode": None} == {**facts, "power_mode": None})
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _graph_part(facts: Facts) -> str:
    return str(facts["graph_sha256"])[:16]


def _last_used(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _as_json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True).encode("ascii")
