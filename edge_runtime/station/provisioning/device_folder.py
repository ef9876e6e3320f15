"""What is carried to a device: its certificate, its key, and settings that are ready to run."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.station.provisioning import files

Contents = Mapping[str, tuple[bytes, int]]
"""A file's name to its bytes and mode."""

_SETTINGS = """\
# Settings of the device {device}, made at the station by `edge-station provision`. They lie with ca.crt, device.crt and
# device.key in one folder, /etc/edge-runtime say; device.key must stay readable for the device's user alone.
# Every setting that is not here has a default; deploy/device.yaml of the project shows all of them.
device: {name}
data: /var/lib/edge-runtime    # the journal: what was read, found and still has to be sent

cards:
  root: {cards}  # one card, or the folder under which cards are mounted

time_zone: {time_zone}  # that the cameras' clocks are set to; check it

# cameras:                     # names by folder or serial number; else the folder's own name counts
#   - {{folder: "CARD_A*", name: waterhole, latitude: -2.33, longitude: 34.83}}

uplink:
  host: {host}  # the station's broker
  port: {port}
  # No user and no password: the certificate says who this is, and the key proves it.
  tls: {{ca: ca.crt, certificate: device.crt, key: device.key}}
  keepalive_seconds: 1200      # 60 s would cost 242 kB a day
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person tells of a device."""

    time_zone: str
    cards: str = "/media/edge-cards"
    """Folder that is watched on the device."""


def settings_text(device: str, host: str, port: int, chosen: Settings) -> str:
    """The device's `device.yaml`."""
    told = {"name": device, "host": host, "cards": chosen.cards, "time_zone": chosen.time_zone}
    # JSON's strings are YAML's: no name becomes another key, and the device 0815 no number.
    quoted = {key: json.dumps(text, ensure_ascii=False) for key, text in told.items()}
    return _SETTINGS.format(device=device, port=port, **quoted)


def contents(*, authority: bytes, certificate: bytes, key: bytes, settings: str | None) -> Contents:
    """The folder's files; without settings where the device has its own already."""
    made = {
        "ca.crt": (authority, files.PUBLIC),
        "device.crt": (certificate, files.PUBLIC),
        "device.key": (key, files.PRIVATE),
    }
    return made if settings is None else {"device.yaml": (settings.encode(), files.PUBLIC), **made}


def write(folder: Path, parts: Contents, *, zipped: bool) -> Path:
    """Write the folder, or one ZIP file; returns its place.

    The ZIP file remembers the permissions, which a stick's file system does not.

    Raises:
        ProvisioningError: it is there already, or cannot be written.
    """
    place = place_of(folder, zipped=zipped)
    if not zipped:
        files.write_folder(place, parts)
        return place
    files.must_be_free(place)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, mode) in parts.items():
            entry = zipfile.ZipInfo(f"{folder.name}/{name}")
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, content)
    files.write(place, packed.getvalue(), mode=files.PRIVATE)
    return place


def place_of(folder: Path, *, zipped: bool) -> Path:
    """Where `write` writes."""
    return folder.with_name(f"{folder.name}.zip") if zipped else folder
