"""What the office is told and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.station.provisioning.register import Certificate

DEVICE_DAYS = 1825


@dataclass(frozen=True, slots=True)
class Places:
    """Where the office keeps what."""

    authority: Path
    """Keys and register; for the station alone."""
    broker: Path
    """What mosquitto reads; its folder."""
    secret: Path
    """The station's own password at the broker."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a device is to get what it needs."""

    folder: Path | None = None
    """Where the files go; a folder of the device's name and the serial's first digits, here, where unset."""
    zipped: bool = False
    """One ZIP file, with `.zip` after the folder's name."""
    days: int = DEVICE_DAYS
    """How long the certificate is good."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of letting a device in."""

    place: Path
    """The folder or the ZIP file that is to be carried to the device."""
    certificate: Certificate
    revoked: int
    """Certificates of the same device that are refused from now on."""


State = Literal["valid", "expired", "revoked", "unfinished"]
"""`unfinished`: a command was interrupted before the device's folder was complete."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a device stands with the broker."""

    device: str
    state: State
    certificate: Certificate
    """The one that counts: the newest that is good, else the newest."""
