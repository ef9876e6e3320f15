"""Memory of the daemon over a long card: its peak, and whether it grows.

    python -m benchmarks.bars.memory --detector BUNDLE [--photos 1000] [--folder DIR] [--json]

The daemon runs as a process of its own, as on a device: real photos from a folder (or 12-megapixel scenes of the
sample card), its classifier, a broker and a station that acknowledges. The figure is the resident set that the kernel
reports (VmRSS), five times a second.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import iotcore
import msgspec
import yaml
from PIL import Image
from tqdm import tqdm

from edge_runtime import status
from edge_runtime.errors import JournalError
from edge_runtime.intake import completeness, scan
from edge_runtime.settings import Broker, StationSettings, read_device
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import Store
from edge_runtime.tryout import sample_card
from edge_runtime.tryout.ports import free_port

LIMIT_MB = 200.0
GROWTH_MB = 2.0
TWELVE_MEGAPIXELS = (4000, 3000)
SAMPLE_SECONDS = 0.2
START = datetime(2026, 5, 1)
_EXIF_TIME = re.compile(rb"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
_HEAD_BYTES = 65536
"""Where EXIF lies."""


@dataclass(frozen=True)
class Result:
    """Megabytes are 10^6 bytes."""

    photos: int
    mean_megapixels: float
    seconds: float
    peak_mb: float
    """The largest resident set at any time, as the kernel kept it (VmHWM)."""
    middle_mb: float
    end_mb: float
    """Median of the samples around the half of the card, and of those at its end."""
    growth_mb: float
    """end - middle."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--detector", required=True, metavar="BUNDLE")
    parser.add_argument("--photos", type=int, default=1000, metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="repeat the photos of this folder")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-memory-") as name:
        work = Path(name)
        megapixels = fill_card(work / "card", arguments.photos, arguments.folder, work)
        result = measure(work, arguments.detector, arguments.photos, megapixels)
    kept = result.peak_mb <= LIMIT_MB and result.growth_mb < GROWTH_MB
    if arguments.json:
        print(json.dumps({**asdict(result), "limit_mb": LIMIT_MB, "within_limits": kept}))
    else:
        print(f"{result.photos} photos of {result.mean_megapixels:.1f} megapixels in {result.seconds:.0f} s")
        print(f"  peak         {result.peak_mb:6.1f} MB   (limit {LIMIT_MB:.0f})")
        print(f"  at the half  {result.middle_mb:6.1f} MB")
        print(f"  at the end   {result.end_mb:6.1f} MB   (growth {result.growth_mb:+.1f} MB)")
    return 0 if kept else 1


def fill_card(card: Path, photos: int, folder: Path | None, work: Path) -> float:
    """Put `photos` distinct photos on a card; returns their mean size in megapixels."""
    sources = _sources(folder, work)
    card = card / "CAM01" / "DCIM" / "100MEDIA"
    card.mkdir(parents=True)
    pixels = 0.0
    for number in tqdm(range(photos), desc="card", unit="photo", disable=not sys.stderr.isatty()):
        data, size = sources[number % len(sources)]
        (card / f"IMG_{number:05d}.JPG").write_bytes(_another(data, number))
        pixels += size
    return pixels / photos / 1e6


def _another(data: bytes, number: int) -> bytes:
    """The same pixels as a photo of its own, taken a minute after the one before.

    A photo without a time gets a comment, and loses what its camera appended: behind a comment that lies elsewhere than
    it says, and looks like a file that still grows.
    """
    taken = (START + timedelta(minutes=number)).strftime("%Y:%m:%d %H:%M:%S").encode()
    head, changes = _EXIF_TIME.subn(taken, data[:_HEAD_BYTES])
    if changes:
        return head + data[_HEAD_BYTES:]
    comment = f"copy {number}".encode()
    picture = data[2 : completeness.check(data).end]
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture


def _sources(folder: Path | None, work: Path) -> list[tuple[bytes, int]]:
    if folder is None:
        sample_card.build(work / "sample")
        folder = work / "sample"
    sources = []
    for stamp in scan.scan(folder).photos:
        try:
            with Image.open(stamp.full_path) as image:
                if image.format not in ("JPEG", "MPO"):
                    continue
                if folder == work / "sample":
                    sources.append(_enlarged(image, len(sources)))
                else:
                    sources.append((stamp.full_path.read_bytes(), image.width * image.height))
        except OSError:
            continue  # a broken file of the sample card
    return sources


def _enlarged(image: Image.Image, number: int) -> tuple[bytes, int]:
    exif = Image.Exif()
    taken = START + timedelta(minutes=number)
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    stream = io.BytesIO()
    image.convert("RGB").resize(TWELVE_MEGAPIXELS).save(stream, "JPEG", quality=85, exif=exif)
    return stream.getvalue(), TWELVE_MEGAPIXELS[0] * TWELVE_MEGAPIXELS[1]


def measure(work: Path, detector: str, photos: int, megapixels: float) -> Result:
    """Run the daemon over the card in `work` and watch it."""
    port = free_port()
    config = work / "device.yaml"
    document = {
        "device": "bench-device",
        "data": "device",
        "cards": {"root": "card"},
        "time_zone": "UTC",
        "repeats": "off",  # the same pictures come again and again
        "models": {"detector": str(Path(detector).resolve()) if detector != "default" else detector},
        "uplink": {"port": port},
    }
    config.write_text(yaml.safe_dump(document))
    settings = StationSettings(data=str(work / "station"), broker=Broker(port=port))
    with iotcore.Broker(port=port, listen="127.0.0.1"):
        store = Store(work / "station" / "station.sqlite")
        ingest = Ingest(settings, store)
        ingest.start()
        try:
            started = time.monotonic()
            samples, peak = _watch(config, photos)
            seconds = time.monotonic() - started
        finally:
            ingest.stop()
            store.close()
    half = [mb for done, mb in samples if 0.45 * photos <= done <= 0.55 * photos]
    end = [mb for done, mb in samples if 0.95 * photos <= done]
    middle_mb, end_mb = statistics.median(half), statistics.median(end)
    return Result(photos, megapixels, seconds, peak, middle_mb, end_mb, end_mb - middle_mb)


def _watch(config: Path, photos: int) -> tuple[list[tuple[int, float]], float]:
    """(photos done, resident MB) over time, and the peak."""
    command = [sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(config), "--until-idle"]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    settings = read_device(config)
    samples: list[tuple[int, float]] = []
    peak = 0.0
    with tqdm(total=photos, desc="daemon", unit="photo", disable=not sys.stderr.isatty()) as bar:
        while daemon.poll() is None:
            memory = _memory_mb(daemon.pid)
            if memory is not None:
                peak = max(peak, memory["VmHWM"])
                samples.append((_photos_done(settings), memory["VmRSS"]))
                bar.update(samples[-1][0] - bar.n)
            time.sleep(SAMPLE_SECONDS)
    if daemon.returncode != 0:
        raise SystemExit(f"the daemon ended with {daemon.returncode}; run it by hand to see why: {' '.join(command)}")
    return samples, peak


def _photos_done(settings: msgspec.Struct) -> int:
    try:
        return status.read(settings).photos
    except JournalError:
        return 0


def _memory_mb(pid: int) -> dict[str, float] | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = {
        line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(("VmRSS", "VmHWM"))
    }
    return found if len(found) == 2 else None


if __name__ == "__main__":
    sys.exit(main())
