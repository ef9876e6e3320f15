"""A card of many bursts whose truth is known to the last count: what a station must show in the end."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.colour_detector import COLOURS, photo

START = datetime(2026, 5, 1, 6, 0, 0)
EventTruth = tuple[str, int, int, tuple[tuple[str, int], ...]]
"""Camera, start (UTC seconds since 1970), photos, label and count in alphabetical order."""


@dataclass
class Plan:
    """What lies on the card."""

    folder: Path
    photos: int = 0
    """Distinct and whole."""
    empty: int = 0
    failed: int = 0
    duplicates: int = 0
    events: list[EventTruth] = field(default_factory=list)

    def fingerprints(self) -> dict[str, tuple[str, int]]:
        """Every file's hash and time, to show that nobody touched it."""
        return {
            str(file.relative_to(self.folder)): (
                hashlib.sha256(file.read_bytes()).hexdigest(),
                file.stat().st_mtime_ns,
            )
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        }


def build(folder: Path, *, bursts: int, cameras: int = 2, seed: int = 1, broken: int = 2) -> Plan:
    """Fill `folder` with `bursts` bursts per camera and `broken` files of each sort that cannot be read."""
    dice = random.Random(seed)
    plan = Plan(folder)
    for camera in range(1, cameras + 1):
        media = folder / f"CAM{camera:02d}" / "DCIM" / "100MEDIA"
        media.mkdir(parents=True)
        number = 0
        for burst in range(bursts):
            start = START + timedelta(days=camera, seconds=300 * burst)
            shots = dice.randint(1, 3)
            most: Counter[str] = Counter()
            for shot in range(shots):
                cells = _cells(dice)
                name = media / f"IMG_{number:04d}.JPG"
                data = photo(cells, taken=start + timedelta(seconds=shot), seed=camera * 100_000 + number)
                name.write_bytes(data)
                number += 1
                plan.photos += 1
                plan.empty += not cells
                most |= Counter(cells.values())
            if most:
                start_s = int(start.replace(tzinfo=timezone.utc).timestamp())
                plan.events.append((f"CAM{camera:02d}", start_s, shots, tuple(sorted(most.items()))))
        for index in range(broken):
            (media / f"CUT_{index}.JPG").write_bytes(data[: len(data) // 2 + index])
            (media / f"EMPTY_{index}.JPG").write_bytes(b"")
            (media / f"TEXT_{index}.JPG").write_text(f"no picture {index}")
            shutil.copyfile(media / f"IMG_{index:04d}.JPG", media / f"ZCOPY_{index}.JPG")
        plan.failed += 3 * broken
        plan.duplicates += broken
    return plan


def _cells(dice: random.Random) -> dict[tuple[int, int], str]:
    places = [(column, row) for column in range(4) for row in range(4)]
    chosen = dice.sample(places, dice.choice([0, 0, 1, 1, 2, 3]))
    return {place: dice.choice(sorted(COLOURS)) for place in chosen}
