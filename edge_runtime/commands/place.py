"""What `tune` and `why-slow` have in common: on which device, which card, with which models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from edge_runtime import console, settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.settings import Camera, Cards, Models
from edge_runtime.tuning import stored
from edge_runtime.tuning.measuring import Progress


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is measured."""

    folder: Path
    """The card's."""
    data: Path | None
    """The device's data folder; None where no device is configured."""
    models: Models
    max_pixels: int
    cameras: tuple[Camera, ...]
    zone: ZoneInfo
    gap_s: int

    @property
    def tuned_file(self) -> Path:
        return stored.file_for(self.data)


def add_options(parser: argparse.ArgumentParser, *, photos: int) -> None:
    """Put the options in."""
    parser.add_argument("folder", type=Path, nargs="?", help="the card (default: cards.root of device.yaml)")
    parser.add_argument("-c", "--config", type=Path, metavar="device.yaml", help="the device's settings")
    parser.add_argument("--folder", type=Path, dest="card", metavar="CARD", help="as the word without an option")
    parser.add_argument("--photos", type=_positive, default=photos, metavar="N", help=f"at most (default {photos})")
    parser.add_argument("--detector", metavar="BUNDLE", help="default: that of device.yaml, else the package's own")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads in all (default: device.yaml's)")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")


def find(arguments: argparse.Namespace) -> Place:
    """Where to measure, from the options and the settings file.

    Raises:
        CamtrapEdgeError: neither a folder nor a settings file was given.
        ConfigError: the settings file says something that cannot be used.
    """
    folder = arguments.folder or arguments.card
    if arguments.config is not None:
        device = settings.read_device(arguments.config)
        data, models, cards = Path(device.data), device.models, device.cards
        cameras, zone, gap_s = device.cameras, ZoneInfo(device.time_zone), device.events.gap_seconds
        folder = folder or Path(cards.root)
    elif folder is not None:
        data, models, cards = None, Models(), Cards(root=str(folder))
        cameras, zone, gap_s = (), ZoneInfo("UTC"), settings.Events().gap_seconds
    else:
        raise CamtrapEdgeError("name a folder with photos, or the device's settings with -c device.yaml")
    said = {"detector": arguments.detector, "threads": arguments.threads}
    return Place(
        folder=folder,
        data=data,
        models=msgspec.structs.replace(models, **{key: value for key, value in said.items() if value is not None}),
        max_pixels=int(cards.max_megapixels * 1_000_000),
        cameras=cameras,
        zone=zone,
        gap_s=gap_s,
    )


@contextmanager
def progress_bar(*, hidden: bool) -> Iterator[Progress]:
    """A bar that names what is being done; none where nobody looks."""
    with console.progress_bar(unit="step", hidden=hidden, leave=False) as bar:

        def show(what: str, done: int, steps: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = steps, done
            bar.refresh()

        yield show


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return number
