"""The station's list of the certificates that it ever issued: one small JSON file, replaced as a whole.

A certificate stands here before its key leaves the house, so that there is none that could not be revoked by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from edge_runtime.station.provisioning import files
from edge_runtime.station.provisioning.errors import ProvisioningError

FILE_NAME = "certificates.json"
VERSION = 1


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that a device has, had, or should have got."""

    serial: str
    """Hexadecimal digits."""
    device: str
    issued: datetime
    expires: datetime
    """Both UTC."""
    delivered: bool = False
    """Its folder was finished. Where it is not, a command was interrupted."""
    revoked: bool = False

    @property
    def number(self) -> int:
        return int(self.serial, 16)


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All certificates, oldest first, and under which names devices reach the broker."""

    version: int = VERSION
    hosts: tuple[str, ...] = ()
    port: int = 8883
    certificates: tuple[Certificate, ...] = ()

    def of(self, device: str) -> tuple[Certificate, ...]:
        """The device's, oldest first."""
        return tuple(each for each in self.certificates if each.device == device)

    def current(self, device: str) -> Certificate | None:
        """The newest that the device was given and that is not revoked."""
        good = [each for each in self.of(device) if each.delivered and not each.revoked]
        return good[-1] if good else None

    def devices(self) -> list[str]:
        """Every device that was ever named, in alphabetical order."""
        return sorted({each.device for each in self.certificates})

    def revoked(self) -> frozenset[int]:
        """Serial numbers."""
        return frozenset(each.number for each in self.certificates if each.revoked)

    def adding(self, certificate: Certificate) -> Register:
        """With one more."""
        return msgspec.structs.replace(self, certificates=(*self.certificates, certificate))

    def delivering(self, serial: str) -> Register:
        """With this one marked as delivered."""
        return self._changing(lambda each: each.serial == serial, delivered=True)

    def revoking(self, serials: Iterable[int]) -> Register:
        """With these marked as revoked."""
        chosen = frozenset(serials)
        return self._changing(lambda each: each.number in chosen, revoked=True)

    def reached_at(self, hosts: Iterable[str], port: int | None) -> Register:
        """With these hosts in front, none twice, and this port where one is given."""
        merged = tuple(dict.fromkeys((*hosts, *self.hosts)))
        return msgspec.structs.replace(self, hosts=merged, port=self.port if port is None else port)

    def _changing(self, chosen: Callable[[Certificate], bool], **changes: bool) -> Register:
        changed = tuple(
            msgspec.structs.replace(each, **changes) if chosen(each) else each for each in self.certificates
        )
        return msgspec.structs.replace(self, certificates=changed)


def load(folder: Path) -> Register:
    """The register in this folder; an empty one where there is none yet.

    Raises:
        ProvisioningError: it cannot be read, or a newer program wrote it.
    """
    file = folder / FILE_NAME
    content = files.read(file)
    if content is None:
        return Register()
    try:
        register = msgspec.json.decode(content, type=Register)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "put it back from a backup"
        raise ProvisioningError(f"cannot be understood: {error}", file=file, hint=hint) from error
    if register.version != VERSION:
        raise ProvisioningError(f"is of version {register.version}", file=file, hint="update this program")
    return register


def save(folder: Path, register: Register) -> None:
    """Put the register in the place of the former one.

    Raises:
        ProvisioningError: it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(register), indent=2)
    files.write(folder / FILE_NAME, text + b"\n", mode=files.PRIVATE)
