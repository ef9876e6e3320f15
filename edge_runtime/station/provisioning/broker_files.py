"""What mosquitto reads, beside certificates: its configuration, the access rules, the station's own password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from pathlib import Path

from edge_runtime.station.provisioning import files
from edge_runtime.station.provisioning.errors import ProvisioningError

FOLDER = Path("/etc/mosquitto/edge")
"""Where edge.conf looks for its files."""
CONFIG_FOLDER = Path("/etc/mosquitto/conf.d")
DEVICE_PORT = 8883
STATION_PORT = 1883
STATION_USER = "edge-station"
"""The account of the station itself, in `edge.acl` too."""

AUTHORITY, BROKER, REVOKED, PASSWORDS, RULES = "ca.crt", "broker.pem", "revoked.pem", "passwords", "acl"
READABLE = 0o640
"""For mosquitto, whose folder it is."""

_ITERATIONS = 1000
_SALT_BYTES, _HASH_BYTES = 12, 64


def render(
    config: str, *, folder: Path = FOLDER, device_port: int = DEVICE_PORT, station_port: int = STATION_PORT
) -> str:
    """`edge.conf` with this folder and these ports in the place of its own.

    Raises:
        ProvisioningError: it is another file, or the folder's name would end a line of it.
    """
    if re.search(r"[\x00-\x1f\x7f]", str(folder)):
        raise ProvisioningError("control characters in a folder's name", file=folder)
    for own, chosen in (
        (rf"^listener {STATION_PORT} 127\.0\.0\.1$", f"listener {station_port} 127.0.0.1"),
        (rf"^listener {DEVICE_PORT}$", f"listener {device_port}"),
    ):
        config, found = re.subn(own, chosen, config, flags=re.MULTILINE)
        if found != 1:
            raise ProvisioningError(f"no edge.conf: a line like '{chosen}' is missing")
    return re.sub(rf"(?<= ){re.escape(str(FOLDER))}/", lambda _: f"{folder}/", config)


def install(
    source: Path, config_folder: Path, *, folder: Path, device_port: int = DEVICE_PORT, station_port: int = STATION_PORT
) -> Path:
    """Put `edge.conf` and `edge.acl` of the folder `source` to where mosquitto looks; returns the former's place.

    Raises:
        ProvisioningError: one cannot be read or written.
    """
    try:
        config = (source / "edge.conf").read_text(encoding="utf-8")
        rules = (source / "edge.acl").read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        hint = "give the folder deploy/mosquitto of this project"
        raise ProvisioningError(f"no edge.conf and edge.acl: {error}", file=source, hint=hint) from error
    rendered = render(config, folder=folder.absolute(), device_port=device_port, station_port=station_port)
    # The rules first: a configuration that names a file that is not there keeps mosquitto from starting.
    files.write(folder / RULES, rules, mode=READABLE)
    file = config_folder / "edge.conf"
    files.write(file, rendered.encode(), mode=files.PUBLIC)
    return file


def hash_password(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """As mosquitto 2.0 keeps passwords: PBKDF2 with SHA-512, `$7$iterations$salt$hash`.

    Written here and not by `mosquitto_passwd`, which takes a password as an argument, for every process to read.
    """
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def settle_station_account(secret: Path, passwords: Path) -> bool:
    """See to it that the station's password and what mosquitto knows of it agree; whether mosquitto has to read again.

    Args:
        secret: the station's own copy, for `broker.password_file` of station.yaml.
        passwords: mosquitto's file.

    Raises:
        ProvisioningError: one cannot be read or written.
    """
    kept = files.read(secret)
    password = "" if kept is None else kept.decode("utf-8", "replace").strip()
    if not password:
        password = secrets.token_urlsafe(24)
        files.write(secret, f"{password}\n".encode(), mode=files.PRIVATE)
    if _knows(files.read(passwords), password):
        return False
    files.write(passwords, f"{STATION_USER}:{hash_password(password)}\n".encode(), mode=READABLE)
    return True


def _knows(content: bytes | None, password: str) -> bool:
    # The whole file is the station's line: no further account gets in by the local door.
    user, _, kept = (content or b"").decode("utf-8", "replace").strip("\n").partition(":")
    try:
        salt = base64.b64decode(kept.split("$")[3], validate=True)
    except (IndexError, binascii.Error):
        return False
    return user == STATION_USER and hmac.compare_digest(hash_password(password, salt).encode(), kept.encode())
