"""What prove.sh puts in and what has to come out: a small card, the settings of both ends, and the check at the end.

python proof.py card CARD --expected FILE [--camera CAM02]
python proof.py settings FOLDER --port N [--host ADDRESS] [--gap SECONDS]
python proof.py check CARD ... --expected FILE ... --status FILE --station FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from edge_runtime.station.store import FILE_NAME, Reader
from edge_runtime.tryout import plan, sample_card

BURSTS = 3
"""Of a camera of the sample card. CAM01: a cat, nothing, a person; CAM02: two cats by night, a cat, nothing."""
NAMES = {"animal": "domestic cat", "person": "person"}
"""What the packaged classifier says of the sample card's animals."""
DEVICE = "proof"


def make_card(card: Path, expected: Path, camera: str) -> None:
    """The first bursts of one camera of the sample card and a file that is no photo; and what is true of them."""
    with tempfile.TemporaryDirectory() as folder:
        made = sample_card.build(Path(folder) / "card")
        bursts = [burst for burst in plan.BURSTS if burst.camera == camera][:BURSTS]
        shots = [shot for shot in made.shots if shot.path.parts[0] == camera][: sum(len(b.frames) for b in bursts)]
        events = [event for event in made.events if event.camera == camera][: sum(any(b.frames) for b in bursts)]
        for shot in shots:
            _copy(made.folder / shot.path, card / shot.path)
        text = next(Path(name) for name in made.broken if name.endswith("9003.JPG"))
        _copy(made.folder / text, card / shots[0].path.parent / text.name)
    truth = {
        "photos": len(shots),
        "empty": sum(not shot.subjects for shot in shots),
        "failed": 1,
        "events": [[e.start_s, e.photos, sorted([NAMES[name], count] for name, count in e.counts)] for e in events],
        "files": _fingerprints(card),
    }
    expected.write_text(json.dumps(truth), encoding="utf-8")


def write_settings(folder: Path, host: str, port: int, gap_s: int) -> None:
    """Both ends' settings and the broker's; an event ends after `gap_s` seconds without a photo."""
    device = {
        "device": DEVICE,
        "data": "/var/lib/edge-runtime",
        "cards": {"root": "/media/edge-cards", "rescan_seconds": 1, "settle_seconds": 1},
        "time_zone": "UTC",
        "models": {"threads": 2},
        "events": {"gap_seconds": gap_s},
        "uplink": {"host": host, "port": port, "reconnect_max_seconds": 2},
    }
    station = {"station": "proof", "data": "station", "broker": {"port": port}, "web": {"port": 0}}
    (folder / "device.yaml").write_text(yaml.safe_dump(device), encoding="utf-8")
    (folder / "station.yaml").write_text(yaml.safe_dump(station), encoding="utf-8")
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")


def problems(truths: Sequence[dict[str, Any]], status: dict[str, Any], station: Path) -> list[str]:
    """What is not as it should be, one line each; `truths` are of the cards in the order in which they were read."""
    found = []
    for name in ("photos", "empty", "failed"):
        there = sum(truth[name] for truth in truths)
        if status[name] != there:
            found.append(f"the device counts {status[name]} {name}, the cards have {there}")
    if status["waiting"]:
        found.append(f"{status['waiting']} summaries wait for an acknowledgement")
    reader = Reader(station / FILE_NAME)
    stored = sorted(
        [e.start_s, e.images, sorted([c.label, c.count] for c in e.counts)] for e in reader.recent_events(100)
    )
    shown = sorted(event for truth in truths for event in truth["events"])
    if stored != shown:
        found.append(f"the station has {stored}, the cards show {shown}")
    # A card that was torn out was reported as far as it was read.
    reports = reader.recent_card_reports(100)
    for name in ("photos", "empty", "failed"):
        if sum(getattr(report, name) for report in reports) != sum(truth[name] for truth in truths):
            found.append(f"the station's card reports are {reports}")
            break
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _fingerprints(card: Path) -> dict[str, str]:
    files = sorted(path for path in card.rglob("*") if path.is_file())
    return {str(path.relative_to(card)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main(arguments: list[str]) -> int:
    """Run one step; returns the exit code."""
    parser = argparse.ArgumentParser(description="The data of prove.sh.")
    parser.add_argument("action", choices=("card", "settings", "check"))
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--expected", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--camera", default="CAM01")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--gap", type=int, default=60)
    parser.add_argument("--status", type=Path)
    parser.add_argument("--station", type=Path)
    given = parser.parse_args(arguments)
    if given.action == "card":
        make_card(given.folders[0], given.expected[0], given.camera)
        return 0
    if given.action == "settings":
        write_settings(given.folders[0], given.host, given.port, given.gap)
        return 0
    truths = [json.loads(file.read_text(encoding="utf-8")) for file in given.expected]
    status = json.loads(given.status.read_text(encoding="utf-8"))
    found = problems(truths, status, given.station)
    for folder, truth in zip(given.folders, truths, strict=True):
        if _fingerprints(folder) != truth["files"]:
            found.append(f"files on {folder} are not what they were")
    for problem in found:
        sys.stderr.write(f"proof: {problem}\n")
    if not found:
        said = f"{status['photos']} photos, {status['empty']} empty, {status['failed']} unreadable"
        events = sum(len(truth["events"]) for truth in truths)
        sys.stdout.write(f"proof: {said}; {events} events acknowledged by the station\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
