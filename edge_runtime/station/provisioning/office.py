"""The station's office: lets devices in and shuts them out.

What is true stands in two places, and every command begins by making the others agree with them, so that a power cut
leaves nothing that the next command does not mend:

- `ca/ca.pem` and `ca/certificates.json`: who signs, and every certificate that was ever issued;
- the revocation list that mosquitto reads: a serial in it counts as revoked, even where the register was cut off
  before it said so.

There are no passwords for devices: the broker demands a certificate, takes its name as the account, and so a second
secret would prove nothing that the key does not prove.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from edge_runtime import checked_yaml, settings
from edge_runtime.errors import ConfigError, PayloadError
from edge_runtime.station.provisioning import authority as x509
from edge_runtime.station.provisioning import broker_files, device_folder, files, register
from edge_runtime.station.provisioning.authority import Authority
from edge_runtime.station.provisioning.errors import ProvisioningError
from edge_runtime.station.provisioning.register import Certificate, Register
from edge_runtime.station.provisioning.values import Carried, Places, Standing, Wanted
from edge_runtime.uplink import topics

log = logging.getLogger(__name__)

AUTHORITY_DAYS = 3650
CLOCK_MIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""An earlier time is that of a clock which nobody has set: what it dates would expire years too soon."""

_BACKUP = "put it back from a backup"


class Office:
    """One station's.

    Args:
        station: its name, for the authority's certificate.
        clock: the time, UTC.
    """

    def __init__(
        self, places: Places, station: str, clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    ) -> None:
        self._places, self._station, self._clock = places, station, clock
        self.reload_needed = False
        """mosquitto has to read its files again."""

    def prepare(self, hosts: Sequence[str] = (), port: int | None = None) -> Register:
        """Make what the broker needs and does not have.

        Args:
            hosts: names and addresses by which devices reach it, beside those told before.
            port: by which devices reach it; as before where None.

        Raises:
            ProvisioningError: there is no host, or a file cannot be read or written.
        """
        with self._opened() as (authority, known):
            reached = self._reach(known, hosts, port)
            self._settle(authority, reached)
            return reached

    def provision(
        self,
        device: str,
        chosen: device_folder.Settings,
        wanted: Wanted,
        *,
        hosts: Sequence[str] = (),
        port: int | None = None,
        replace: bool = False,
    ) -> Carried:
        """Let a device in. Its settings name the first host.

        Raises:
            ProvisioningError: the name or a host cannot be used, the device is in already, or a file cannot be written.
        """
        check_name(device)
        with self._opened() as (authority, known):
            if known.current(device) is not None and not replace:
                hint = "edge-station rotate for a new key, or --replace to begin anew"
                raise ProvisioningError(f"{device} has a certificate already", hint=hint)
            known = self._reach(known, hosts, port)
            text = device_folder.settings_text(device, known.hosts[0], known.port, chosen)
            _check_settings(text)
            return self._issue(authority, known, device, wanted, text)

    def rotate(self, device: str, wanted: Wanted) -> Carried:
        """Give a device a new key; the old one is refused from now on.

        Raises:
            ProvisioningError: the device was never let in, or a file cannot be written.
        """
        with self._opened() as (authority, known):
            _must_know(known, device)
            return self._issue(authority, self._reach(known, (), None), device, wanted, None)

    def revoke(self, device: str) -> int:
        """Shut a device out; how many certificates are refused now that were not before.

        Raises:
            ProvisioningError: the device was never let in, or a file cannot be written.
        """
        with self._opened() as (authority, known):
            _must_know(known, device)
            return self._refuse(authority, known, known.of(device))

    def standings(self) -> list[Standing]:
        """Every device that was ever let in, by name. Writes nothing.

        Raises:
            ProvisioningError: a file cannot be read.
        """
        pem = files.read(self._places.authority / "ca.pem")
        if pem is None:
            return []
        known = self._known(self._authority_of(pem))
        return [self._standing(known, device) for device in known.devices()]

    @contextmanager
    def _opened(self) -> Iterator[tuple[Authority, Register]]:
        """The authority and the register, for as long as no other command works on them."""
        now = self._clock()
        if now < CLOCK_MIN:
            raise ProvisioningError(f"the clock says {now:%Y-%m-%d}", hint="set it first: timedatectl set-time")
        folder = self._places.authority
        files.make_folder(self._places.broker, 0o750, owner="mosquitto")
        files.make_folder(folder.parent, 0o750, owner=broker_files.STATION_USER)
        files.make_folder(folder, 0o700)
        with files.locked(folder / "lock"):
            for each in {folder, self._places.broker, self._places.secret.parent}:
                files.sweep(each)
            authority = self._authority(now)
            if authority.expires <= now:
                hint = "move the folder away, and provision every device anew"
                raise ProvisioningError(f"the authority ended on {authority.expires:%Y-%m-%d}", file=folder, hint=hint)
            known = self._known(authority)
            yield authority, known

    def _authority(self, now: datetime) -> Authority:
        file = self._places.authority / "ca.pem"
        pem = files.read(file)
        if pem is None:
            if files.read(self._places.authority / register.FILE_NAME) is not None:
                raise ProvisioningError("is missing, and devices rely on it", file=file, hint=_BACKUP)
            made = x509.make_authority(f"camtrap-edge {self._station}", now + timedelta(days=AUTHORITY_DAYS))
            files.write(file, made.to_pem(), mode=files.PRIVATE)
            log.info("made the station's certificate authority in %s; keep a backup of it", self._places.authority)
            return made
        return self._authority_of(pem)

    def _authority_of(self, pem: bytes) -> Authority:
        try:
            return Authority.from_pem(pem)
        except ValueError as error:
            file = self._places.authority / "ca.pem"
            raise ProvisioningError(f"cannot be understood: {error}", file=file, hint=_BACKUP) from error

    def _known(self, authority: Authority) -> Register:
        known = register.load(self._places.authority)
        listed = files.read(self._places.broker / broker_files.REVOKED)
        revoked = None if listed is None else x509.revoked_in(authority, listed)
        return known.revoking(revoked or ())

    def _reach(self, known: Register, hosts: Sequence[str], port: int | None) -> Register:
        for host in hosts:
            if not x509.is_host(host):
                raise ProvisioningError(f"'{host}' is neither a host's name nor an IP address")
        reached = known.reached_at(hosts, port)
        if not reached.hosts:
            hint = "give --host NAME or --host ADDRESS, as often as there are names"
            raise ProvisioningError("nobody told yet how devices reach this station", hint=hint)
        return reached

    def _settle(self, authority: Authority, known: Register) -> None:
        """Write what is not yet as the authority and the register have it."""
        folder = self._places.broker
        register.save(self._places.authority, known)
        if files.read(folder / broker_files.AUTHORITY) != authority.certificate_pem():
            files.write(folder / broker_files.AUTHORITY, authority.certificate_pem(), mode=files.PUBLIC)
            self.reload_needed = True
        if not x509.serves(authority, files.read(folder / broker_files.BROKER) or b"", known.hosts):
            pem = x509.issue_broker(authority, known.hosts)
            files.write(folder / broker_files.BROKER, pem, mode=broker_files.READABLE)
            self.reload_needed = True
        listed = x509.revoked_in(authority, files.read(folder / broker_files.REVOKED) or b"")
        if listed is None or not listed >= known.revoked():
            self._write_revoked(authority, known.revoked())
        if broker_files.settle_station_account(self._places.secret, folder / broker_files.PASSWORDS):
            self.reload_needed = True

    def _write_revoked(self, authority: Authority, serials: frozenset[int]) -> None:
        file = self._places.broker / broker_files.REVOKED
        files.write(file, x509.revocation_list(authority, serials), mode=broker_files.READABLE)
        self.reload_needed = True

    def _issue(
        self, authority: Authority, known: Register, device: str, wanted: Wanted, settings_text: str | None
    ) -> Carried:
        """A new certificate for a device, and an end to its others. Until the end the others are good."""
        now, number = self._clock(), x509.new_serial()
        expires = min(now + timedelta(days=wanted.days), authority.expires)
        made = Certificate(serial=f"{number:x}", device=device, issued=now, expires=expires)
        folder = wanted.folder or Path(f"{device}-{made.serial[:8]}")
        files.must_be_free(device_folder.place_of(folder, zipped=wanted.zipped))
        self._settle(authority, known.adding(made))
        certificate, key = x509.issue_device(authority, device, number, expires)
        parts = device_folder.contents(
            authority=authority.certificate_pem(), certificate=certificate, key=key, settings=settings_text
        )
        place = device_folder.write(folder, parts, zipped=wanted.zipped)
        delivered = known.adding(made).delivering(made.serial)
        register.save(self._places.authority, delivered)
        return Carried(place, made, self._refuse(authority, delivered, known.of(device)))

    def _refuse(self, authority: Authority, known: Register, certificates: Sequence[Certificate]) -> int:
        serials = {each.number for each in certificates} - known.revoked()
        after = known.revoking(serials)
        # The list first: what it says, mosquitto does and the next command believes.
        if serials:
            self._write_revoked(authority, after.revoked())
        self._settle(authority, after)
        return len(serials)

    def _standing(self, known: Register, device: str) -> Standing:
        current = known.current(device)
        if current is None:
            newest = known.of(device)[-1]
            return Standing(device, "revoked" if newest.revoked else "unfinished", newest)
        return Standing(device, "valid" if self._clock() < current.expires else "expired", current)


def check_name(device: str) -> None:
    """Refuse what is no device's name.

    Raises:
        ProvisioningError: it does not fit into topics, or belongs to the station.
    """
    try:
        msgspec.convert(device, settings.Name)
        topics.events(device)  # Stricter: it takes no line's end after the name.
    except (msgspec.ValidationError, PayloadError) as error:
        hint = "small letters, digits, - and _, at most 32"
        raise ProvisioningError(f"'{device}' is no name for a device", hint=hint) from error
    if device.startswith(broker_files.STATION_USER):
        raise ProvisioningError(f"'{device}' is no name for a device: the station's own begin so")


def _check_settings(text: str) -> None:
    try:
        checked_yaml.parse(text.encode(), Path("device.yaml"), settings.DeviceSettings)
    except (ConfigError, UnicodeEncodeError) as error:
        raise ProvisioningError(f"the device would not take these settings: {error}") from error


def _must_know(known: Register, device: str) -> None:
    if not known.of(device):
        there = ", ".join(known.devices()) or "none yet"
        raise ProvisioningError(f"no device '{device}'", hint=f"known: {there}")
