"""Telling a running mosquitto to read its files again, and ending a connection that it would not accept any more."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from edge_runtime.errors import LinkError
from edge_runtime.settings import Broker
from edge_runtime.station.provisioning.errors import ProvisioningError
from edge_runtime.uplink.connection import make_client

PID_FILE = Path("/run/mosquitto/mosquitto.pid")
"""As Debian's mosquitto.conf has it."""
BY_HAND = "sudo systemctl reload mosquitto"
ANSWER_SECONDS = 10.0


def read_again(pid_file: Path) -> None:
    """Send SIGHUP: mosquitto reads the revoked certificates, its own one, the password and the rules again.

    Raises:
        ProvisioningError: it does not run, or may not be signalled.
    """
    try:
        number = int(pid_file.read_text())
        # A number of long ago may be another program's by now.
        if Path(f"/proc/{number}/comm").read_text().strip() != "mosquitto":
            raise ProcessLookupError(f"process {number} is no mosquitto")
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError) as error:
        hint = f"what was asked for is done; let mosquitto read it: {BY_HAND}"
        raise ProvisioningError(f"mosquitto was not told: {error}", file=pid_file, hint=hint) from error


def end_session(broker: Broker, device: str) -> None:
    """End the device's open connection, if it has one.

    mosquitto looks at a certificate when a connection is made and never again. But the broker's configuration makes a
    device's name its client id, and MQTT knows one connection of an id: whoever comes with it ends the one before.

    Args:
        broker: the station's own way to the broker.

    Raises:
        LinkError: the broker cannot be reached or refuses.
        ConfigError: the station's password cannot be read.
    """
    client = make_client(broker, device)
    answered = threading.Event()
    refusals: list[str] = []

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    name, hint = f"{broker.host}:{broker.port}", "a restart of mosquitto ends open connections too"
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        if not answered.wait(ANSWER_SECONDS):
            refusals.append("no answer")
    except OSError as error:
        raise LinkError(name, f"the device's connection was not ended: {error}", hint=hint) from error
    finally:
        client.disconnect()
        client.loop_stop()
    if refusals:
        raise LinkError(name, f"the device's connection was not ended: {refusals[0]}", hint=hint)
