"""From the broker's name to an open port."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import time

from edge_runtime.checkup.step import Finding, Step, bad, good
from edge_runtime.checkup.visit import Visit

CONNECT_SECONDS = 5.0
"""For one address."""


def name(visit: Visit) -> Finding:
    """The addresses of the broker's host."""
    host, port = visit.settings.uplink.host, visit.settings.uplink.port
    if _is_address(host):
        return good(f"{host} is an address, there is nothing to look up")
    started = time.monotonic()
    try:
        found = visit.world.resolve(host, port)
    except (OSError, UnicodeError) as error:
        return bad(
            f"{host}: {getattr(error, 'strerror', None) or error}, after {_since(started)}",
            f"getent hosts {shlex.quote(host)}; cat /etc/resolv.conf; or set the station's address as `host:` under "
            f"`uplink:` in {visit.config}",
        )
    return good(f"{host} is {', '.join(found)}, after {_since(started)}")


def port(visit: Visit) -> Finding:
    """Whether somebody listens there."""
    uplink = visit.settings.uplink
    where, started = f"{uplink.host}:{uplink.port}", time.monotonic()
    addresses = [uplink.host] if _is_address(uplink.host) else visit.world.resolve(uplink.host, uplink.port)
    problem: OSError = OSError("no address")
    for address in addresses:
        try:
            socket.create_connection((address, uplink.port), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            problem = error
        else:
            return good(f"{where} takes connections ({address}, after {_since(started)})")
    return _closed(problem, uplink.host, where, started)


def _closed(problem: OSError, host: str, where: str, started: float) -> Finding:
    after = f"after {_since(started)}"
    if isinstance(problem, ConnectionRefusedError):
        return bad(
            f"{where}: {host} is there, but nothing listens at this port ({after})",
            "on the station: sudo systemctl status mosquitto; ss -ltn (127.0.0.1 there: it needs a `listener` line)",
        )
    if isinstance(problem, TimeoutError):
        return bad(
            f"{where}: no answer ({after})",
            f"ping -c 3 {shlex.quote(host)}; is the station on, and does its firewall let the port through?",
        )
    return bad(
        f"{where}: {problem.strerror or problem} ({after})",
        f"ip route get {shlex.quote(host)}; ip -br address: is the network up?",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _since(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"


STEPS = (
    Step("name", ("configuration",), name, network=True),
    Step("port", ("name",), port, network=True),
)
