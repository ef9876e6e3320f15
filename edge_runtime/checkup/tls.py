"""Whether the broker's certificate and ours would be believed, and for how long."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from edge_runtime.checkup.network import CONNECT_SECONDS
from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, together, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.settings import Tls, Uplink

SOON_DAYS = 30
DAY_S = 86_400
_WRONG_KEY = "KEY_VALUES_MISMATCH"
_NOT_YET, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_STRANGER = {18, 19, 20, 21}
"""Numbers of `X509_V_ERR_*` in OpenSSL's x509_vfy.h."""
_REFUSED_AFTERWARDS_SECONDS = 0.3
"""In TLS 1.3 a server says only after the handshake that it wants another client certificate."""


def files(visit: Visit) -> Finding:
    """The files of `uplink.tls`, without any network."""
    tls = visit.settings.uplink.tls
    if tls is None:
        return _without(visit)
    for file in filter(None, (tls.ca, tls.certificate, tls.key)):
        try:
            Path(file).open("rb").close()
        except OSError as error:
            step = f"ls -l {shlex.quote(file)}; copy it from the station, where its broker's certificates were made"
            return bad(f"{file}: {error.strerror}", step)
    try:
        context = context_of(tls)
    except ssl.SSLError as error:
        return _unusable(tls, error)
    return together(
        [
            good(f"{tls.ca} is readable" + (", certificate and key belong together" if tls.certificate else "")),
            *(_validity(visit, "the authority", each) for each in context.get_ca_certs()),
        ]
    )


def handshake(visit: Visit) -> Finding:
    """One TLS connection, checked as the uplink checks it: chain, name, dates."""
    uplink = visit.settings.uplink
    if uplink.tls is None:
        return skipped("`uplink.tls` is not set")
    where, started = f"{uplink.host}:{uplink.port}", time.monotonic()
    try:
        with (
            socket.create_connection((uplink.host, uplink.port), timeout=CONNECT_SECONDS) as plain,
            context_of(uplink.tls).wrap_socket(plain, server_hostname=uplink.host) as secured,
        ):
            milliseconds = (time.monotonic() - started) * 1000
            version, certificate = secured.version(), secured.getpeercert()
            _listen(secured)
    except ssl.SSLCertVerificationError as error:
        return _not_believed(visit, uplink, error)
    except ssl.SSLEOFError:
        return _no_tls(visit, where, "it hung up")
    except ssl.SSLError as error:
        return _not_agreed(visit, where, error)
    except OSError as error:
        return _no_tls(visit, where, error.strerror or str(error))
    told = good(f"{where} is who it says it is ({version}, after {milliseconds:.0f} ms)")
    return together([told, _validity(visit, "the broker's certificate", certificate or {})])


def context_of(tls: Tls) -> ssl.SSLContext:
    """What the uplink's own connection checks and shows.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.certificate is not None:
        # With a password given, OpenSSL does not ask for one at the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    context.load_verify_locations(tls.ca)
    return context


def _without(visit: Visit) -> Finding:
    uplink = visit.settings.uplink
    if uplink.host == "localhost" or _is_loopback(uplink.host):
        return skipped("`uplink.tls` is not set, and the broker is on this machine")
    return warn(
        "`uplink.tls` is not set: whoever is on the network reads the password and can send in this device's name",
        f"set `tls: {{ca: ca.crt}}` and the broker's TLS port under `uplink:` in {visit.config}",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unusable(tls: Tls, error: ssl.SSLError) -> Finding:
    if error.reason == _WRONG_KEY and tls.certificate and tls.key:
        own, key = shlex.quote(tls.certificate), shlex.quote(tls.key)
        return bad(
            f"{tls.key} is not the key of {tls.certificate}",
            f"these must be the same: openssl x509 -pubkey -noout -in {own} | sha256sum; "
            f"openssl pkey -pubout -in {key} | sha256sum",
        )
    files = " or ".join(filter(None, (tls.ca, tls.certificate, tls.key)))
    return bad(
        f"{files} cannot be used: {error.reason or error}",
        f"head -1 {shlex.quote(tls.ca)} has to be -----BEGIN CERTIFICATE-----; a key must have no password",
    )


def _not_believed(visit: Visit, uplink: Uplink, error: ssl.SSLCertVerificationError) -> Finding:
    ca = uplink.tls.ca if uplink.tls else ""
    where = f"{uplink.host}:{uplink.port}"
    target = shlex.quote(where)
    show = f"openssl s_client -connect {target} </dev/null 2>/dev/null | openssl x509 -noout"
    code = error.verify_code
    if code in (_EXPIRED, _NOT_YET):
        what = "has expired" if code == _EXPIRED else "is not valid yet"
        says = datetime.fromtimestamp(visit.world.now(), timezone.utc).strftime("%Y-%m-%d")
        return bad(
            f"{where}: the broker's certificate {what}, or this device's clock is wrong (it says {says})",
            f"date; {show} -dates; then make a new certificate on the station, or set the clock",
        )
    if code in _STRANGER:
        return bad(
            f"{where}: the broker's certificate was not signed by {ca} ({error.verify_message})",
            f"copy the authority's file from the station over {shlex.quote(ca)}; compare: {show} -issuer; openssl x509 "
            f"-noout -subject -in {shlex.quote(ca)}",
        )
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return bad(
            f"{where}: the broker's certificate is for another name ({error.verify_message})",
            f"{show} -ext subjectAltName, and set one of these names as `host:` under `uplink:` in {visit.config}",
        )
    return bad(f"{where}: the broker's certificate is refused: {error.verify_message}", f"{show} -text")


def _not_agreed(visit: Visit, where: str, error: ssl.SSLError) -> Finding:
    reason = error.reason or str(error)
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason:
        return _no_tls(visit, where, reason)
    if "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason or "UNKNOWN_CA" in reason:
        return bad(
            f"{where} refuses this device's certificate, or wants one: {reason}",
            f"set `certificate:` and `key:` under `tls:` in {visit.config}; on the station: journalctl -u mosquitto",
        )
    return bad(f"{where}: no agreement on TLS: {reason}", "on the station: sudo journalctl -u mosquitto -n 20")


def _no_tls(visit: Visit, where: str, reason: str) -> Finding:
    return bad(
        f"{where} does not answer in TLS ({reason})",
        f"set the broker's TLS port (mostly 8883) as `port:` under `uplink:` in {visit.config}; on the station: has "
        "that listener a `certfile`? sudo journalctl -u mosquitto -n 20",
    )


def _listen(secured: ssl.SSLSocket) -> None:
    """Hear whether the server takes back what it agreed to."""
    secured.settimeout(_REFUSED_AFTERWARDS_SECONDS)
    try:
        secured.recv(1)
    except TimeoutError:
        return  # it waits for us to speak, as it should


def _validity(visit: Visit, what: str, certificate: Mapping[str, object]) -> Finding:
    until = str(certificate.get("notAfter", ""))
    try:
        days = (ssl.cert_time_to_seconds(until) - visit.world.now()) / DAY_S
    except ValueError:
        return good("")
    renew = "make a new certificate on the station and copy it to every device before then"
    if days < 0:
        return bad(f"{what} has expired: {until}", renew)
    told = f"{what} holds until {until}"
    return warn(f"{told}, {days:.0f} days", renew) if days < SOON_DAYS else good(told)


STEPS = (
    Step("TLS files", ("configuration",), files),
    Step("TLS", ("port", "TLS files"), handshake, network=True),
)
