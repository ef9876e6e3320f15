"""A real broker as a station sets it up (TLS, passwords, access rules) and, where wanted, a real station at it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.settings import Broker, Tls
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import FILE_NAME, Store
from tests.broker import Mosquitto
from tests.checkup.authority import Authority
from tests.checkup.kit import DEVICE, Kit
from tests.station.device import connected, ingesting

STATION = "edge-station"
RULES = f"""\
pattern write ct/1/%u/+
pattern read ct/1/%u/a
user {STATION}
topic readwrite #
"""
MUTE = f"""\
pattern read ct/1/%u/a
user {STATION}
topic readwrite #
"""
BY_CERTIFICATE = "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n"
"""Whose certificate it is, that is who it is: as in deploy/mosquitto."""
NAMES = "DNS:localhost,IP:127.0.0.1"


@contextmanager
def broker(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path], *, rules: str = RULES, by_certificate: bool = False
) -> Iterator[Mosquitto]:
    """A broker with this certificate, at which the kit's device has an account; its settings are saved."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed (Debian: apt-get install mosquitto)")
    folder = kit.folder / "broker"
    folder.mkdir(exist_ok=True)
    (folder / "acl").write_text(rules)
    (folder / "passwords").write_text("")
    for name in (DEVICE, STATION):
        subprocess.run(["mosquitto_passwd", "-b", str(folder / "passwords"), name, f"secret of {name}"], check=True)
    options = f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\n"
    options += f"certfile {certificate[0]}\nkeyfile {certificate[1]}\n"
    if by_certificate:
        options += f"cafile {authority.ca}\n{BY_CERTIFICATE}"
    with Mosquitto(folder, options=options) as running:
        at(kit, running.port, authority)
        yield running


def at(kit: Kit, port: int, authority: Authority | None = None) -> None:
    """Point the device at a broker; with an authority, over TLS and with a password."""
    uplink: dict[str, object] = {"host": "localhost", "port": port}
    if authority is not None:
        (kit.folder / "password.txt").write_text(f"secret of {DEVICE}\n")
        (kit.folder / "password.txt").chmod(0o600)
        uplink |= {"user": DEVICE, "password_file": "password.txt", "tls": {"ca": str(authority.ca)}}
    kit.settings["uplink"] = uplink
    kit.save()


@contextmanager
def station(kit: Kit, port: int, authority: Authority | None = None) -> Iterator[tuple[Ingest, Store]]:
    """A station that is connected and subscribed."""
    settings = Broker(host="localhost", port=port)
    if authority is not None:
        secret = kit.folder / "station.txt"
        secret.write_text(f"secret of {STATION}")
        tls = Tls(ca=str(authority.ca))
        settings = Broker(host="localhost", port=port, user=STATION, password_file=str(secret), tls=tls)
    store = Store(kit.folder / "station" / FILE_NAME)
    try:
        with ingesting(store, settings) as ingest:
            connected(ingest)
            yield ingest, store
    finally:
        store.close()
