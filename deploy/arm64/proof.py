"""What prove.sh puts in and what has to come out: a small card, the settings of both ends, and the check at the end.

python proof.py card CARD --expected FILE
python proof.py settings FOLDER --port N
python proof.py check CARD --expected FILE --status FILE --station FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from edge_runtime.station.store import FILE_NAME, Reader
from edge_runtime.tryout import plan, sample_card

CAMERA = "CAM01"
BURSTS = 3
"""Of the sample card's first camera: a cat, nothing, a person."""
NAMES = {"animal": "domestic cat", "person": "person"}
"""What the packaged classifier says of the sample card's animals."""
DEVICE = "proof"


def make_card(card: Path, expected: Path) -> None:
    """The first bursts of the sample card's first camera and a file that is no photo; and what is true of them."""
    with tempfile.TemporaryDirectory() as folder:
        made = sample_card.build(Path(folder) / "card")
        bursts = [burst for burst in plan.BURSTS if burst.camera == CAMERA][:BURSTS]
        shots = [shot for shot in made.shots if shot.path.parts[0] == CAMERA][: sum(len(b.frames) for b in bursts)]
        events = [event for event in made.events if event.camera == CAMERA][: sum(any(b.frames) for b in bursts)]
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


def write_settings(folder: Path, port: int) -> None:
    """Both ends' settings and the broker's."""
    device = {
        "device": DEVICE,
        "data": "/var/lib/edge-runtime",
        "cards": {"root": "/media/edge-cards", "rescan_seconds": 1, "settle_seconds": 1},
        "time_zone": "UTC",
        "models": {"threads": 2},
        "uplink": {"host": "127.0.0.1", "port": port, "reconnect_max_seconds": 2},
    }
    station = {"station": "proof", "data": "station", "broker": {"port": port}, "web": {"port": 0}}
    (folder / "device.yaml").write_text(yaml.safe_dump(device), encoding="utf-8")
    (folder / "station.yaml").write_text(yaml.safe_dump(station), encoding="utf-8")
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")


def problems(card: Path, truth: dict[str, Any], status: dict[str, Any], station: Path) -> list[str]:
    """What is not as it should be, one line each."""
    found = []
    for name in ("photos", "empty", "failed"):
        if status[name] != truth[name]:
            found.append(f"the device counts {status[name]} {name}, the card has {truth[name]}")
    if status["waiting"]:
        found.append(f"{status['waiting']} summaries wait for an acknowledgement")
    stored = Reader(station / FILE_NAME).recent_events(100)
    events = sorted([e.start_s, e.images, sorted([c.label, c.count] for c in e.counts)] for e in stored)
    if events != truth["events"]:
        found.append(f"the station has {events}, the card shows {truth['events']}")
    reports = Reader(station / FILE_NAME).recent_card_reports(10)
    if [(one.photos, one.empty, one.failed) for one in reports] != [(truth["photos"], truth["empty"], truth["failed"])]:
        found.append(f"the station's card reports are {reports}")
    if _fingerprints(card) != truth["files"]:
        found.append("files on the card are not what they were")
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
    parser.add_argument("folder", type=Path)
    parser.add_argument("--expected", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--status", type=Path)
    parser.add_argument("--station", type=Path)
    given = parser.parse_args(arguments)
    if given.action == "card":
        make_card(given.folder, given.expected)
        return 0
    if given.action == "settings":
        write_settings(given.folder, given.port)
        return 0
    truth = json.loads(given.expected.read_text(encoding="utf-8"))
    status = json.loads(given.status.read_text(encoding="utf-8"))
    found = problems(given.folder, truth, status, given.station)
    for problem in found:
        sys.stderr.write(f"proof: {problem}\n")
    if not found:
        said = f"{truth['photos']} photos, {truth['empty']} empty, {truth['failed']} unreadable"
        sys.stdout.write(f"proof: {said}; {len(truth['events'])} events acknowledged by the station\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
