"""Getting a public checkpoint: downloaded, resumed, and kept only if its hash is the published one."""

from __future__ import annotations

import difflib
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from export_tools.checkpoints import catalogue
from export_tools.checkpoints.catalogue import Known
from export_tools.checkpoints.downloading import BrokenOffError, Part, check_address, download
from export_tools.checkpoints.errors import FetchError

__all__ = ["FetchError", "fetch"]

TRIES = 5
"""Failures in a row, without a byte gained, after which fetching gives up."""
TRIES_IN_ALL = 100
"""Against a server that gives one byte each time."""
LONGEST_PAUSE_S = 30.0

_log = logging.getLogger(__name__)
_BLOCK = 4 * 1024 * 1024


def fetch(
    entry: Known | str,
    folder: Path,
    *,
    progress: bool = True,
    urls: Sequence[str] | None = None,
    sha256: str = "",
    accept_unverified: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring a checkpoint of the catalogue into `folder`; returns its path. One that lies there already is kept.

    A broken download stays as NAME.part and goes on with the next call.

    Args:
        entry: a row of the catalogue, or its name or alias.
        urls: addresses to try instead of the row's own; https, or http on this machine.
        sha256: what the file must have, in hexadecimal; needed where nobody published a hash.
        accept_unverified: take the file unchecked where there is no hash; its SHA-256 is logged.
        pause: waits so many seconds between two tries.

    Raises:
        FetchError: no such row, no address, no hash to check by, the wrong file, no connection, or no room.
    """
    known = entry if isinstance(entry, Known) else _named(entry)
    wanted = _wanted(known, sha256)
    if not wanted and not accept_unverified:
        raise FetchError(
            known.name,
            "nobody published a hash of this file, so a wrong one could not be told",
            hint="give its SHA-256 with --sha256 if you have it from somewhere you trust, "
            "or take it unchecked with --accept-unverified",
        )
    target = folder / known.file
    if target.exists():
        return _already_there(known, target, wanted)
    addresses = tuple(urls if urls is not None else known.urls)
    if not addresses:
        raise FetchError(known.name, f"no public address is known for {known.file}", hint=f"ask for: {known.what}")
    for url in addresses:
        check_address(known.name, url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(known.name, f"{folder} cannot be made: {error.strerror}", hint="choose another") from error
    part = Part(folder / f"{known.file}.part")
    if not wanted and not part.etag:
        part.remove()  # nothing could tell whether its beginning is of the same file
    resumed = part.bytes > 0
    _bring(known, addresses, part, progress, pause)
    problem = _difference(part.path, wanted)
    if problem and resumed:
        _log.warning("%s: %s; the beginning may be of another file: once more from the start", known.name, problem)
        part.remove()
        _bring(known, addresses, part, progress, pause)
        problem = _difference(part.path, wanted)
    if problem:
        part.remove()
        raise FetchError(known.name, f"the wrong file: {problem}; it was removed", hint="do not use another copy of it")
    part.finish(target)
    if not wanted:
        _log.warning("%s: taken unchecked; its sha256 is %s", known.name, _digest(target, "sha256"))
    return target


def _named(name: str) -> Known:
    known = catalogue.by_name(name)
    if known is None:
        names = [text for row in catalogue.entries() for text in (row.name, *row.aliases)]
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "edge-export fetch --list names them all"
        raise FetchError(name, "no checkpoint of the catalogue has this name", hint=hint)
    return known


def _wanted(known: Known, sha256: str) -> dict[str, str]:
    """The hashes that the file must have, by algorithm."""
    given = sha256.strip().lower()
    if given and (len(given) != 64 or not set(given) <= set("0123456789abcdef")):
        raise FetchError(
            known.name, f"{sha256[:80]!r} is no SHA-256", hint="64 hexadecimal digits, as sha256sum prints"
        )
    if given and known.sha256 and given != known.sha256:
        raise FetchError(known.name, f"the published sha256 is {known.sha256}, not {given}", hint="leave --sha256 out")
    wanted = {"md5": known.md5, "sha256": known.sha256 or given}
    return {algorithm: digest for algorithm, digest in wanted.items() if digest}


def _already_there(known: Known, target: Path, wanted: dict[str, str]) -> Path:
    problem = _difference(target, wanted)
    if problem:
        raise FetchError(known.name, f"{target} is another file: {problem}", hint="move it away, or choose a folder")
    _log.info("%s: %s is there already%s", known.name, target, ", and is the right file" if wanted else "; unchecked")
    return target


def _bring(known: Known, addresses: Sequence[str], part: Part, progress: bool, pause: Callable[[float], None]) -> None:
    failures = 0
    for attempt in range(TRIES_IN_ALL):
        before = part.bytes
        url = addresses[failures % len(addresses)]
        try:
            download(known.name, url, part, expected=known.bytes, progress=progress)
            return
        except BrokenOffError as error:
            failures = 1 if part.bytes > before else failures + 1
            if failures >= TRIES or attempt == TRIES_IN_ALL - 1:
                raise FetchError(
                    known.name,
                    f"{url} cannot be fetched: {error}; tried {attempt + 1} times",
                    hint=f"what came is kept as {part.path}; run the same command again",
                ) from error
            seconds = min(2.0 ** (failures - 1), LONGEST_PAUSE_S)
            _log.info("%s: %s; trying again in %.0f s", known.name, error, seconds)
            pause(seconds)


def _difference(file: Path, wanted: dict[str, str]) -> str:
    """How `file` differs from the hashes it must have; empty where it does not."""
    for algorithm, digest in wanted.items():
        actual = _digest(file, algorithm)
        if actual != digest:
            return f"its {algorithm} is {actual}, the right one is {digest}"
    return ""


def _digest(file: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
