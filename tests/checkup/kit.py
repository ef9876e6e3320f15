"""A device that is well in every way, so that a test can make one thing wrong: its files, its board, its settings."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from edge_runtime.bundles import bundle as bundles
from edge_runtime.checkup.examination import examine
from edge_runtime.checkup.step import Finding
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.models import selftest
from edge_runtime.models.detector import Detector
from tests import colour_detector

DEVICE = "ridge"
NOW_S = time.time()
CELLS = {(1, 1): "animal"}
ROOT_MOUNT = "30 1 179:2 / / rw,relatime - ext4 /dev/mmcblk0p2 rw"
GIB = 1 << 30


def nobody() -> Iterable[Sequence[str]]:
    """Command lines of a machine on which nothing else runs."""
    return [["/sbin/init"]]


def no_tool(command: Sequence[str]) -> str | None:
    """A machine without tools."""
    return None


@dataclass
class Kit:
    """The device's parts and the settings that are written to `device.yaml`."""

    folder: Path
    settings: dict[str, Any]
    world: World
    answer_seconds: float = 10.0

    @property
    def config(self) -> Path:
        return self.folder / "device.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def card(self) -> Path:
        return self.folder / "card"

    @property
    def journal(self) -> Path:
        return self.data / FILE_NAME

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def write(self, name: str, text: str) -> None:
        """A file of the board, named as the machine names it."""
        file = self.world.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def mount(self, *lines: str) -> None:
        """What mountinfo tells."""
        self.write("/proc/self/mountinfo", "\n".join(lines) + "\n")

    def mount_card(self, options: str = "ro,nosuid,nodev") -> None:
        """As if the card were mounted at the card folder."""
        self.mount(ROOT_MOUNT, f"31 30 8:1 / {self.card} {options} - vfat /dev/sda1 {options.split(',')[0]}")

    def change(self, **world: Any) -> None:
        """Another world."""
        self.world = replace(self.world, **world)

    def save(self) -> None:
        """Write `device.yaml`."""
        self.config.write_text(yaml.safe_dump(self.settings, sort_keys=False))

    def look(self, *, with_network: bool = False) -> dict[str, Finding]:
        """The whole check-up: what was found, by step."""
        visit = Visit(self.config, self.world, answer_seconds=self.answer_seconds)
        return {each.name: each.finding for each in examine(visit, with_network=with_network)}

    def open_journal(self) -> Journal:
        return Journal(self.journal, device=DEVICE)


def build(folder: Path, colour_bundle: Path) -> Kit:
    """The device in `folder`, without a broker."""
    kit = Kit(
        folder,
        {
            "device": DEVICE,
            "data": "data",
            "cards": {"root": "card"},
            "time_zone": "Africa/Nairobi",
            "models": {"detector": "bundle", "classifier": "none", "threads": 1},
            "uplink": {"host": "localhost"},
        },
        World(
            root=folder / "root",
            tool=no_tool,
            now=lambda: NOW_S,
            command_lines=nobody,
            disk_bytes=lambda _: (32 * GIB, 20 * GIB),
        ),
    )
    kit.data.mkdir(parents=True)
    kit.card.mkdir()
    for number in range(4):
        (kit.card / f"IMG_{number}.JPG").write_bytes(colour_detector.photo(CELLS, seed=number))
    with_golden(colour_bundle, kit.bundle)
    board(kit)
    journal = kit.open_journal()
    journal.codes.add("label", ["animal", "person", "vehicle"])
    journal.close()
    kit.save()
    return kit


def board(kit: Kit) -> None:
    """A cool Raspberry Pi with a clock, its card mounted as it should be."""
    kit.write("/sys/devices/usb/sda/size", "62333952\n")
    kit.write("/sys/devices/usb/sda/sda1/partition", "1\n")
    kit.write("/sys/dev/block/7:0/size", "0\n")
    kit.world.path("/sys/dev/block/8:1").symlink_to(kit.world.path("/sys/devices/usb/sda/sda1"))
    kit.mount_card()
    kit.write("/proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    meminfo = {"MemTotal": 4_000_000, "MemAvailable": 3_000_000, "SwapTotal": 200_000, "SwapFree": 200_000}
    kit.write("/proc/meminfo", "".join(f"{name}: {value} kB\n" for name, value in meminfo.items()))
    kit.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    kit.write("/sys/class/thermal/thermal_zone0/temp", "48300\n")
    kit.write("/sys/devices/platform/soc@107c000000/raspberrypi-firmware/get_throttled", "0\n")
    kit.write("/sys/class/rtc/rtc0/since_epoch", f"{int(NOW_S)}\n")
    kit.write("/run/systemd/timesync/synchronized", "")


def with_golden(source: Path, folder: Path, *, confidence: float | None = None) -> None:
    """A copy of a detector bundle that brings one golden sample, with the true confidence or with this one."""
    shutil.copytree(source, folder)
    picture = colour_detector.photo(CELLS)
    (folder / "1.jpg").write_bytes(picture)
    detector = Detector(bundles.load(source, task="detector"), threads=1)
    (found,) = detector.detect(selftest.picture(picture, folder / "1.jpg"))
    box = [found.box.x1, found.box.y1, found.box.x2, found.box.y2]
    expected = {"category": found.category, "confidence": confidence or found.confidence, "box": box}
    (folder / "golden.json").write_text(json.dumps({"golden": 1, "samples": [{"file": "1.jpg", "boxes": [expected]}]}))
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    for name in ("golden.json", "1.jpg"):
        data = (folder / name).read_bytes()
        entry = {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest.setdefault("files", []).append(entry)
    manifest["golden"] = "golden.json"
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
