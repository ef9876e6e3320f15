"""The file in which a choice is kept with its evidence: `tuned.yaml`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from edge_runtime import checked_yaml
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.settings import Decode
from edge_runtime.tuning.machine import Machine
from edge_runtime.tuning.plan import Setup

FILE_NAME = "tuned.yaml"
MAX_CHOICES = 32
"""Older ones go when the file would hold more."""
_HEAD = b"# Written by `edge-runtime tune`; may be deleted at any time.\n"

Count = Annotated[int, msgspec.Meta(ge=0)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=1024)]
Megabytes = Annotated[float, msgspec.Meta(ge=0)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the file's parts: an unknown key is an error."""


class Row(Part, frozen=True, kw_only=True):
    """One candidate and what was measured of it."""

    variant: str
    engine: str
    threads: Threads
    streams: Threads
    photos_per_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Median over the rounds, of whole looks: read, decode, prepare, infer, find the boxes."""
    rounds: tuple[float, ...] = ()
    load_s: float | None = None
    """Median seconds from the process' start to the loaded model."""
    peak_mb: Megabytes | None = None
    """Largest resident set of the process that measured it (VmHWM), 10^6 bytes."""
    boxes: Count = 0
    """Boxes of the reference, at the operating threshold."""
    missed: Count = 0
    extra: Count = 0
    by_a_hair: Count = 0
    """Boxes that only the threshold parts: both confidences are within .05 of it. They count for neither."""
    problem: str = ""
    """Why it cannot be chosen; empty where it can."""

    @property
    def setup(self) -> Setup:
        return Setup(self.variant, self.engine, self.threads, self.streams)


class Choice(Part, frozen=True, kw_only=True):
    """What is fastest for one bundle on one machine, and the evidence."""

    task: Literal["detector", "classifier"]
    bundle: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    title: str
    cpus: Threads
    """CPU threads that inference was allowed to keep busy."""
    variant: str
    engine: str
    threads: Threads
    streams: Threads
    reference: str
    """The variant whose decisions counted as right."""
    photos: Count
    card: str
    """The folder that the photos came from."""
    card_photos: Count
    """How many photos lay there."""
    decode: Decode
    seed: int
    made_utc: str
    note: str = ""
    """What the choice does not rest on."""
    machine: Machine
    rows: tuple[Row, ...]

    @property
    def setup(self) -> Setup:
        return Setup(self.variant, self.engine, self.threads, self.streams)


class Tuned(Part, frozen=True, kw_only=True):
    """The whole file."""

    tuned: Literal[1]
    choices: tuple[Choice, ...] = ()


def file_for(data: Path | None) -> Path:
    """Where choices are kept: beside the journal of a device, else in the user's cache.

    Args:
        data: the device's data folder; None where no device is configured.
    """
    if data is not None:
        return data / FILE_NAME
    given = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]  # systemd's
    if given:
        return Path(given) / FILE_NAME
    home = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored, says the specification.
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "camtrap-edge" / FILE_NAME


def read(file: Path) -> Tuned:
    """The choices in `file`; none where there is no such file.

    Raises:
        ConfigError: it says something that is not allowed; names the line.
    """
    return checked_yaml.read(file, Tuned) if file.exists() else Tuned(tuned=1)


def keep(file: Path, choice: Choice, earlier: Tuned) -> None:
    """Write `choice` beside what `earlier` holds for other bundles and other numbers of threads, all or nothing.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    others = [one for one in earlier.choices if (one.bundle, one.cpus) != (choice.bundle, choice.cpus)]
    document = Tuned(tuned=1, choices=(choice, *others[: MAX_CHOICES - 1]))
    text = yaml.safe_dump(msgspec.to_builtins(document), sort_keys=False, allow_unicode=True, width=118)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=FILE_NAME)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_HEAD + text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        problem = error.strerror or str(error)
        raise CamtrapEdgeError(f"{file}: cannot be written: {problem}; the choice was not kept") from error
