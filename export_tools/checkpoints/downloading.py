"""One file over HTTP into a part file: bounded, resumed where it broke off, never trusted."""

from __future__ import annotations

import contextlib
import errno
import http.client
import re
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from tqdm import tqdm

import edge_runtime
from export_tools.checkpoints.errors import FetchError

BLOCK = 256 * 1024
TIMEOUT_S = 30.0
"""Without a byte for so long, a connection counts as broken."""
HARD_LIMIT = 4 * 1024**3
"""Bytes at which a download of unknown size is stopped; the largest checkpoint of the field has 1.3 GB."""

_LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)$")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class BrokenOffError(Exception):
    """The connection ended before the file did, or was refused for now: trying again may help."""


def check_address(name: str, url: str) -> None:
    """Raise FetchError unless `url` is https, or http on this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL):
        return
    raise FetchError(name, f"{url} is not https: anybody on the way could change the file", hint="use an https address")


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, name: str) -> None:
        self._name = name

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_address(self._name, newurl)
        if urlsplit(newurl).hostname in _LOCAL and urlsplit(req.full_url).hostname not in _LOCAL:
            raise FetchError(self._name, f"{req.full_url} leads to an address on this machine, {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Part:
    """The file in which a download grows, and the validator (ETag) of what it was begun from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.etag")

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def etag(self) -> str:
        return self._note.read_text(encoding="latin-1") if self._note.is_file() else ""

    def begin(self, etag: str | None) -> None:
        """Forget what is there; `etag` is the validator of what comes now."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        if etag and not etag.startswith("W/"):  # a weak one does not promise equal bytes
            # Without the note the file is resumed all the same, and its hash tells whether that was right.
            with contextlib.suppress(OSError):
                self._note.write_text(etag, encoding="latin-1")

    def remove(self) -> None:
        self.begin(None)

    def finish(self, target: Path) -> None:
        """Give the whole file its name."""
        self.path.replace(target)
        self._note.unlink(missing_ok=True)


def download(name: str, url: str, part: Part, *, expected: int | None, progress: bool) -> None:
    """Bring `url` into `part`, going on from what is there where the server allows it.

    Args:
        name: of the checkpoint, for errors and the progress bar.
        expected: bytes of the whole file where they are known.

    Raises:
        BrokenOffError: try again; what came is kept.
        FetchError: the server does not have it, sends something else or too much, or the disk is full.
    """
    check_address(name, url)
    have = part.bytes
    headers = {"User-Agent": f"camtrap-edge/{edge_runtime.__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.etag:
            headers["If-Range"] = part.etag
    handlers: list[urllib.request.BaseHandler] = [_Redirects(name)]
    if urlsplit(url).hostname in _LOCAL:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        opener = urllib.request.build_opener(*handlers)
        with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as response:
            _receive(name, response, part, have, expected=expected, progress=progress)
    except urllib.error.HTTPError as error:
        with error:
            _refused(name, url, part, have, error)
    except urllib.error.URLError as error:
        raise BrokenOffError(str(error.reason)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise BrokenOffError(str(error) or type(error).__name__) from error


def _refused(name: str, url: str, part: Part, have: int, error: urllib.error.HTTPError) -> None:
    if error.code == 416 and have:
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
            return  # it was whole already
        part.remove()
        raise BrokenOffError("what was there is not a beginning of the file") from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise BrokenOffError(f"the server says {error.code} {error.reason}") from error
    hint = "the file has moved: look for it where its authors publish it" if error.code in (404, 410) else ""
    raise FetchError(name, f"{url}: the server says {error.code} {error.reason}", hint=hint) from error


def _receive(name: str, response: Any, part: Part, have: int, *, expected: int | None, progress: bool) -> None:
    total = _total(name, response, part, have)
    if response.status != 206:
        have = 0
        part.begin(response.headers.get("ETag"))
    limit = expected or HARD_LIMIT
    if total is not None and (total > limit or (expected and total != expected)):
        part.remove()
        raise FetchError(name, f"the server has {total} bytes, where {_said(expected)}", hint="it is another file")
    free = shutil.disk_usage(part.path.parent).free
    if total is not None and total - have > free:
        raise _disk_full(name, part, total - have)
    goal = total if total is not None else expected
    with _opened(name, part) as out, _bar(name, goal, have, progress) as bar:
        while have < (goal if goal is not None else limit + 1):
            block = response.read(min(BLOCK, (goal or limit + 1) - have))
            if not block:
                break
            _write(name, part, out, block, (goal or 0) - have)
            have += len(block)
            bar.update(len(block))
        if total is None and have == goal and response.read(1):
            have += 1
    if have > limit:
        part.remove()
        raise FetchError(name, f"the server sends more than {limit} bytes, where {_said(expected)}")
    if goal is not None and have < goal:
        raise BrokenOffError(f"{have} of {goal} bytes came")


def _total(name: str, response: Any, part: Part, have: int) -> int | None:
    """Bytes of the whole file as the server says; None where it does not."""
    if response.status == 206:
        matched = _RANGE.match(response.headers.get("Content-Range", ""))
        if not matched or int(matched[1]) != have:
            part.remove()
            raise BrokenOffError("the server answered with another part than it was asked for")
        return None if matched[3] == "*" else int(matched[3])
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _said(expected: int | None) -> str:
    return f"the catalogue says {expected}" if expected else f"no checkpoint has more than {HARD_LIMIT}"


def _bar(name: str, goal: int | None, have: int, progress: bool) -> tqdm[Any]:
    return tqdm(
        total=goal, initial=have, desc=name, unit="B", unit_scale=True, disable=None if progress else True, leave=False
    )


def _opened(name: str, part: Part) -> BinaryIO:
    try:
        return part.path.open("ab")
    except OSError as error:
        raise FetchError(
            name, f"{part.path} cannot be written: {error.strerror}", hint="choose another folder"
        ) from error


def _write(name: str, part: Part, out: BinaryIO, block: bytes, missing: int) -> None:
    try:
        out.write(block)
        out.flush()
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise _disk_full(name, part, max(missing, len(block))) from error
        raise FetchError(name, f"{part.path} cannot be written: {error.strerror}", hint="check the disk") from error


def _disk_full(name: str, part: Part, missing: int) -> FetchError:
    return FetchError(
        name,
        f"the disk of {part.path.parent} is full: {missing} more bytes are needed",
        hint="make room and run the same command again; it goes on from what has come",
    )
