"""Where result documents lie: `measured/<board>/<time>-<bundle>-<variant>-<scenario>.json` below a results folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from benchmarks.document.errors import ResultError
from benchmarks.document.schema import Document

MEASURED = "measured"


def write(document: Document, root: Path) -> Path:
    """Put a document where it belongs below `root`, whole or not at all; never over another one.

    Raises:
        ResultError: it cannot be written.
    """
    folder = root / MEASURED / slug(document.device.board)
    model, run = document.model, document.run
    time = re.sub(r"[-:]", "", run.started_utc)
    stem = f"{time}-{slug(model.bundle)}-{slug(model.variant)}-{model.threads}x{model.streams}-{run.scenario}"
    data = msgspec.json.encode(document) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{stem}.{run.id[:8]}.partial"
        try:
            with partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            return _linked(partial, folder, stem)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ResultError(folder, f"cannot be written: {error.strerror}") from error


def _linked(partial: Path, folder: Path, stem: str) -> Path:
    number = 1
    while True:
        file = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            file.hardlink_to(partial)
            return file
        except FileExistsError:
            number += 1
        except OSError:  # a file system without links, such as a card's
            if not file.exists():
                partial.replace(file)
                return file
            number += 1


def slug(text: str) -> str:
    """A name as part of a path: lower case, what is no letter or digit becomes a hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"
