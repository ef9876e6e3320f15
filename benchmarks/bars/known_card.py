"""A card of many small photos and a journal that knows them, without the hours that looking at them would take."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from edge_runtime.errors import PhotoError
from edge_runtime.intake import completeness, identity, scan
from edge_runtime.journal.journal import Journal
from edge_runtime.tryout import sample_card

PER_FOLDER = 1000
_PHOTO = (
    "INSERT INTO photo (sha256, camera, captured_s, time_source, make, model, serial, width, height, empty, "
    "processed_s, event_id, reported) VALUES (?, 'CAM01', ?, 'exif', 'MAKER', 'MODEL', '', 2048, 1536, ?, ?, ?, 1)"
)
_FILE = (
    "INSERT INTO file (path, size, mtime_ns, photo_id, reported) VALUES (?, ?, ?, (SELECT id FROM photo WHERE "
    "sha256 = ?), 1)"
)
_FIRST_S = 1_700_000_000


def fill(card: Path, photos: int) -> None:
    """Put `photos` distinct photos of 64 x 48 pixels on a card, in folders as cameras make them."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 110, 80)).save(stream, "JPEG")
    data = stream.getvalue()
    for number in tqdm(range(photos), desc="card", unit="photo", disable=not sys.stderr.isatty()):
        folder = card / "DCIM" / f"{100 + number // PER_FOLDER}MEDIA"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number % PER_FOLDER:04d}.JPG").write_bytes(distinct(data, f"photo {number}"))


def distinct(jpeg: bytes, text: str) -> bytes:
    """The same picture as a photo of its own: a comment right after its start makes another hash."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def scenes(work: Path) -> list[bytes]:
    """The whole JPEGs of the sample card, made in `work`."""
    sample_card.build(work / "sample")
    found = []
    for stamp in scan.scan(work / "sample").photos:
        data = stamp.full_path.read_bytes()
        try:
            whole = completeness.check(data, stamp.full_path)
        except PhotoError:
            continue  # a broken file of the sample card
        if data.startswith(b"\xff\xd8") and whole.certain:
            found.append(data)
    return found


def remember(journal: Journal, card: Path) -> None:
    """Let the journal know every photo of the card, as empty."""
    with journal.transaction():
        event = journal.events.begin("CAM01", _FIRST_S, "exif")
        journal.events.close(event, sequence=None)
        stamps = scan.scan(card).photos
        for number, stamp in enumerate(tqdm(stamps, desc="journal", unit="photo", disable=not sys.stderr.isatty())):
            data = stamp.full_path.read_bytes()
            sha256 = identity.picture_hash(data, completeness.check(data, stamp.full_path).end)
            time_s = _FIRST_S + number
            journal._connection.execute(_PHOTO, (sha256, time_s, 1, time_s, event))
            journal._connection.execute(_FILE, (os.fsencode(str(stamp.path)), stamp.size, stamp.mtime_ns, sha256))


def remember_others(journal: Journal, photos: int, *, per_event: int = 5) -> None:
    """Let the journal know `photos` of cards that are long gone: a third with an animal, five to an event."""
    database = journal._connection
    with journal.transaction():
        hashes = [os.urandom(32) for _ in range(photos)]
        first = journal.events.begin("CAM01", _FIRST_S, "exif")
        journal.events.close(first, sequence=None)
        database.executemany(
            "INSERT INTO event (camera, start_s, end_s, time_source, state) VALUES ('CAM01', ?, ?, 'exif', 'empty')",
            ((_FIRST_S + number * 600, _FIRST_S + number * 600 + 9) for number in range(photos // per_event)),
        )
        database.executemany(
            _PHOTO,
            (
                (sha256, _FIRST_S + number, number % 3 > 0, _FIRST_S + number, first + number // per_event)
                for number, sha256 in enumerate(hashes)
            ),
        )
        start = int(database.execute("SELECT MAX(id) FROM photo").fetchone()[0]) - photos + 1
        database.executemany(
            "INSERT INTO detection (photo_id, rank, category, confidence, x1, y1, x2, y2) "
            "VALUES (?, 0, 'animal', 0.8, 0.1, 0.1, 0.5, 0.5)",
            ((start + number,) for number in range(0, photos, 3)),
        )
        database.executemany(
            "INSERT INTO file (path, size, mtime_ns, photo_id, reported) VALUES (?, 500000, ?, ?, 1)",
            ((_path(number), _FIRST_S * 10**9 + number, start + number) for number in range(photos)),
        )
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _path(number: int) -> bytes:
    folder = f"CARD{number // 10_000:03d}/DCIM/{100 + number // PER_FOLDER % 10}MEDIA"
    return f"{folder}/IMG_{number % PER_FOLDER:04d}.JPG".encode()
