"""Does the program that was just installed run on this board? Asked before it takes the old one's place.

    python check_program.py device|station [--settings FILE]

Run with the new environment's Python, as the service's account. With settings it also reads them, loads their models
and brings a *copy* of the journal (or the station's store) up to date; the original is only read.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from edge_runtime import settings
from edge_runtime.errors import CamtrapEdgeError


def _device(file: Path | None) -> None:
    import io

    from PIL import Image

    from edge_runtime.journal.journal import FILE_NAME, Journal
    from edge_runtime.models import loading, selftest
    from edge_runtime.tuning import choice, stored
    from edge_runtime.values import Box, Crop, Detection

    device = None if file is None else settings.read_device(file)
    models = settings.Models(threads=1) if device is None else device.models
    loaded = choice.load(
        models.detector,
        models.classifier,
        models.engine,
        cpus=1,
        file=stored.file_for(None if device is None else Path(device.data)),
        allowed=None if models.allowed is None else Path(models.allowed),
    )
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 110, 80)).save(stream, "JPEG")
    frame = selftest.picture(stream.getvalue(), Path("a made picture"))
    loaded.detector.detect(frame)
    if loaded.classifier is not None:
        whole = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))
        loaded.classifier.probabilities(Crop(whole, frame.pixels))
    if device is None:
        return
    if models.embedder != "none":
        loading.load_embedder(models.embedder, threads=1)
    journal = Path(device.data) / FILE_NAME
    if journal.exists():
        with tempfile.TemporaryDirectory(dir=device.data, prefix="upgrade-check-") as folder:
            copy = Path(folder) / FILE_NAME
            _copy(journal, copy)
            Journal(copy, device=device.device).close()


def _station(file: Path | None) -> None:
    # The page's parts, which are an extra and may be missing.
    from edge_runtime.station import ingest, web
    from edge_runtime.station.store import FILE_NAME, Store

    if file is None:
        return
    station = settings.read_station(file)
    store = Path(station.data) / FILE_NAME
    if store.exists():
        with tempfile.TemporaryDirectory(dir=station.data, prefix="upgrade-check-") as folder:
            copy = Path(folder) / FILE_NAME
            _copy(store, copy)
            with closing(Store(copy)) as opened:
                web.create_app(opened, station, ingest.Ingest(station, opened).health)


def _copy(source: Path, target: Path) -> None:
    """As SQLite copies: whole, though the old program may be writing."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def main(arguments: list[str]) -> int:
    """Check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Does the installed program run here?")
    parser.add_argument("role", choices=("device", "station"))
    parser.add_argument("--settings", type=Path)
    given = parser.parse_args(arguments)
    try:
        (_device if given.role == "device" else _station)(given.settings)
    except (CamtrapEdgeError, ImportError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"check_program: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
