"""A ranger station with a mosquitto of its own: Debian's mosquitto.conf, and this project's edge.conf beside it.

Everything is put there by `edge-station`'s own commands; only folders and ports are other ones.
"""

from __future__ import annotations

import contextlib
import getpass
import select
import shutil
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edge_runtime import settings
from edge_runtime.settings import Broker, Tls
from edge_runtime.station.cli import main
from edge_runtime.tryout.ports import free_port
from tests.broker import PROGRAM, Mosquitto
from tests.conftest import ROOT

DEPLOYED = ROOT / "deploy" / "mosquitto"
CONNECTED = "connected"
# Debian 12's /etc/mosquitto/mosquitto.conf, word for word but for the folders; `user` only because a test's folders are
# closed to mosquitto's own user.
DEBIAN = """\
pid_file {folder}/mosquitto.pid

persistence true
persistence_location {folder}/db/

log_dest file {folder}/mosquitto.log

include_dir {folder}/conf.d

user {user}
"""


class DebianMosquitto(Mosquitto):
    """Started as Debian starts it.

    Args:
        user: who it becomes; whoever runs the tests where unset.
    """

    def __init__(self, folder: Path, station_port: int, user: str | None = None) -> None:
        super().__init__(folder, station_port)
        for name in ("db", "conf.d"):
            (folder / name).mkdir(exist_ok=True)
        if user is not None:
            for each in (folder, folder / "db"):
                shutil.chown(each, user)
        self._config.write_text(DEBIAN.format(folder=folder, user=user or getpass.getuser()))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


@dataclass(frozen=True)
class Ticket:
    """What a TLS server gives, so that the next handshake is shorter."""

    context: ssl.SSLContext
    session: ssl.SSLSession


class House:
    """One station; its broker does not run yet.

    Args:
        user: the broker's; whoever runs the tests where unset.
    """

    def __init__(self, folder: Path, user: str | None = None) -> None:
        if PROGRAM is None:
            pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
        folder.mkdir(exist_ok=True)
        self.folder, self.device_port, station_port = folder, free_port(), free_port()
        self.broker = DebianMosquitto(folder / "mosquitto", station_port, user)
        self.broker_folder = folder / "mosquitto" / "edge"
        self.ca = folder / "data" / "ca"
        self.config = folder / "station.yaml"
        self.config.write_text(
            f"data: data\ntime_zone: Africa/Nairobi\nbroker:\n  port: {station_port}\n  user: edge-station\n"
            "  password_file: data/broker-password.txt\n"
        )
        self.set_up = ("broker", "--host", "127.0.0.1", "--port", str(self.device_port), "--install", str(DEPLOYED))
        self.set_up += ("--config-folder", str(folder / "mosquitto" / "conf.d"))
        assert self.run(*self.set_up) == 0

    def arguments(self, *command: str) -> list[str]:
        """A whole command line of `edge-station`, in this house."""
        name, *rest = command
        made = [name, "-c", str(self.config), "--broker-folder", str(self.broker_folder), *rest]
        if name in ("broker", "provision", "rotate", "revoke"):
            made += ["--pid-file", str(self.folder / "mosquitto" / "mosquitto.pid")]
        return made

    def run(self, *command: str) -> int:
        return main(self.arguments(*command))

    def provision(self, device: str, *options: str) -> Path:
        """Let a device in; the folder for it."""
        return self._carried("provision", device, *options)

    def rotate(self, device: str, *options: str) -> Path:
        return self._carried("rotate", device, *options)

    def _carried(self, command: str, device: str, *options: str) -> Path:
        number = len(list(self.folder.glob(f"{device}-stick-*")))
        folder = self.folder / f"{device}-stick-{number}"
        assert self.run(command, device, "-o", str(folder), *options) == 0
        return folder

    @property
    def station(self) -> Broker:
        """How the station reaches its broker: as station.yaml says."""
        return settings.read_station(self.config).broker


def door(folder: Path, *, port: int | None = None) -> Broker:
    """How a device with this folder reaches the broker: as device.yaml says."""
    uplink = settings.read_device(folder / "device.yaml").uplink
    return Broker(host=uplink.host, port=port or uplink.port, tls=uplink.tls)


def with_keys_of(broker: Broker, folder: Path) -> Broker:
    """The same way in with another folder's certificate and key."""
    assert broker.tls is not None
    tls = Tls(ca=broker.tls.ca, certificate=str(folder / "device.crt"), key=str(folder / "device.key"))
    return msgspec.structs.replace(broker, tls=tls)


def knock(broker: Broker, client_id: str = "anyone", *, ticket: Ticket | None = None) -> str:
    """Try to connect: `connected`, or why the other side or TLS refused, in OpenSSL's word for it."""
    return _knock(broker, client_id, ticket)[0]


def take_ticket(broker: Broker) -> Ticket:
    """Connect, and keep what would make the next handshake shorter."""
    answer, ticket = _knock(broker, "anyone", None)
    assert answer == CONNECTED
    assert ticket is not None
    return ticket


def _knock(broker: Broker, client_id: str, ticket: Ticket | None) -> tuple[str, Ticket | None]:
    tls = broker.tls
    assert tls is not None
    if ticket is None:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    else:
        context = ticket.context
    session = None if ticket is None else ticket.session
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(client_id).to_bytes(2, "big") + client_id.encode()
    plain = socket.create_connection((broker.host, broker.port), timeout=10)
    with closing(plain):
        try:
            with context.wrap_socket(plain, server_hostname=broker.host, session=session) as wire:
                _hear_refusal(wire)
                wire.sendall(bytes((0x10, len(body))) + body)
                answer = wire.recv(4)
                said = CONNECTED if answer == b"\x20\x02\x00\x00" else f"answered {answer.hex()}"
                assert wire.session is not None
                return said + (", resumed" if wire.session_reused else ""), Ticket(context, wire.session)
        except ssl.SSLError as error:
            return error.reason or str(error), None
        except ConnectionError as error:
            return f"cut: {error}", None


def _hear_refusal(wire: ssl.SSLSocket) -> None:
    # In TLS 1.3 a client is done before the server has looked at its certificate. Whoever wrote now, to a server that
    # had refused and left, would learn of the leaving alone and not of the reason.
    select.select([wire], [], [], 10)
    wire.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        wire.recv(1)
    wire.settimeout(10)


def snapshot(house: House, place: Path) -> None:
    """Keep a copy of everything in the house."""
    shutil.copytree(house.folder, place, symlinks=True)


def restore(house: House, place: Path) -> None:
    """Put everything back as it was."""
    shutil.rmtree(house.folder)
    shutil.copytree(place, house.folder, symlinks=True)
