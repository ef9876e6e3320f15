"""Whether the broker lets this device in, and lets it say what it has to say."""

from __future__ import annotations

import shlex
import ssl
import stat
import time
from pathlib import Path

from edge_runtime.checkup.mqtt_session import (
    BAD_ID,
    BAD_LOGIN,
    NOBODY_SUBSCRIBED,
    NOT_AUTHORISED,
    UNKNOWN_PROTOCOL,
    Answer,
    Session,
    password,
)
from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.settings import Uplink
from edge_runtime.uplink import topics

DAEMON = "`edge-runtime run` is at work, and a broker lets a device in only once"
STOP = "sudo systemctl stop edge-runtime, then this again, then sudo systemctl start edge-runtime"
LOG = "on the station: sudo journalctl -u mosquitto -n 20"


def login(visit: Visit) -> Finding:
    """MQTT 3.1.1 with the device's name and password, as the daemon does."""
    uplink = visit.settings.uplink
    where = f"{uplink.host}:{uplink.port}"
    if visit.world.daemon_runs():
        return skipped(DAEMON, STOP)
    try:
        secret = password(uplink)
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        return bad(f"{uplink.password_file}: {problem}", f"ls -l {shlex.quote(str(uplink.password_file))}; id")
    started = time.monotonic()
    session = Session(uplink, visit.settings.device)
    answer = session.open()
    session.close()
    if not answer.accepted:
        return _refused(visit, where, answer)
    told = f"{where} lets {_account(uplink)} in (after {(time.monotonic() - started) * 1000:.0f} ms)"
    if secret is not None and uplink.password_file and Path(uplink.password_file).stat().st_mode & stat.S_IROTH:
        file = shlex.quote(uplink.password_file)
        return warn(f"{told}; everybody on this machine may read {uplink.password_file}", f"chmod 600 {file}")
    return good(told)


def publish(visit: Visit) -> Finding:
    """Say "connected" on the device's own topic, as the daemon does, and subscribe to the acknowledgements."""
    uplink, device = visit.settings.uplink, visit.settings.device
    if visit.world.daemon_runs():
        return skipped(DAEMON, STOP)
    refusal = _connect(visit)
    session = visit.session
    if session is None:
        return bad(f"{uplink.host}:{uplink.port}: {refusal}", LOG)
    heard = session.subscribe(topics.ack(device))
    if not heard.accepted:
        return not_allowed(visit, "read", topics.ack(device), heard)
    started = visit.announced_at = time.monotonic()
    said = session.publish(topics.online(device), topics.ONLINE)
    if not said.accepted:
        return not_allowed(visit, "write", topics.online(device), said)
    milliseconds = (time.monotonic() - started) * 1000
    if not session.version5:
        return skipped("this broker speaks MQTT 3.1.1 only, which has no word for a refused publish; see 'station'")
    visit.subscribers = said.code != NOBODY_SUBSCRIBED
    return good(f"{topics.online(device)} is accepted from {_account(uplink)} (after {milliseconds:.0f} ms)")


def _connect(visit: Visit) -> str:
    """Open the visit's session, in MQTT 5 where the broker speaks it; says why not where there is none."""
    settings, refusal = visit.settings, ""
    will = (topics.online(settings.device), topics.OFFLINE)
    for version5 in (True, False):
        try:
            session = Session(settings.uplink, settings.device, version5=version5, will=will)
        except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
            return str(error)
        answer = session.open()
        if answer.accepted:
            visit.session = session
            return ""
        session.close()
        refusal = answer.text
    return refusal


def _refused(visit: Visit, where: str, answer: Answer) -> Finding:
    uplink = visit.settings.uplink
    if answer.code in (BAD_LOGIN, NOT_AUTHORISED):
        if uplink.user is None and uplink.tls is not None and uplink.tls.certificate is not None:
            return bad(
                f"{where} refuses {_account(uplink)} ({answer.text})",
                f"openssl x509 -noout -subject -dates -in {shlex.quote(uplink.tls.certificate)}; was it revoked? {LOG}",
            )
        if uplink.user is None:
            return bad(
                f"{where} refuses whoever gives no name ({answer.text})",
                f"set `user:` and `password_file:` under `uplink:` in {visit.config}",
            )
        user = shlex.quote(uplink.user)
        return bad(
            f"{where} refuses {_account(uplink)}: unknown name or wrong password ({answer.text})",
            f"on the station: sudo mosquitto_passwd PASSWORD_FILE {user} && sudo systemctl reload mosquitto (its "
            f"mosquitto.conf names it), and the same password in {uplink.password_file or 'a `password_file`'}",
        )
    if answer.code == BAD_ID:
        return bad(f"{where} refuses the client id edge-runtime-{visit.settings.device}-doctor", LOG)
    if answer.code == UNKNOWN_PROTOCOL:
        return bad(f"{where} does not speak MQTT 3.1.1", "use a broker that does: sudo apt-get install mosquitto")
    if answer.code is not None:
        return bad(f"{where} refuses: {answer.text}", LOG)
    secured = "" if uplink.tls else "; does it want TLS (port 8883, `tls:`)?"
    return bad(f"{where}: {answer.text}", LOG + secured)


def not_allowed(visit: Visit, verb: str, topic: str, answer: Answer) -> Finding:
    """The broker's rules forbid this account to read or write this topic."""
    uplink, device = visit.settings.uplink, visit.settings.device
    found = f"{_account(uplink)} may not {verb} {topic} ({answer.text})"
    if uplink.user is not None and uplink.user != device:
        return bad(
            f"{found}; the account is '{uplink.user}', but the device is called '{device}'",
            f"make them the same in {visit.config}: rules go by `pattern write ct/1/%u/+`",
        )
    if uplink.user is None and uplink.tls is not None and uplink.tls.certificate is not None:
        return bad(
            found,
            f"openssl x509 -noout -subject -in {shlex.quote(uplink.tls.certificate)}: its CN has to be {device}; then "
            "on the station, in the broker's acl_file: pattern write ct/1/%u/+ and pattern read ct/1/%u/a",
        )
    line = "pattern write ct/1/%u/+" if verb == "write" else "pattern read ct/1/%u/a"
    return bad(found, f"on the station, in the broker's acl_file: {line}; then: sudo systemctl reload mosquitto")


def _account(uplink: Uplink) -> str:
    if uplink.user is not None:
        return f"'{uplink.user}'"
    return "this device's certificate" if uplink.tls and uplink.tls.certificate else "a client without a name"


STEPS = (
    Step("login", ("port", "TLS", "TLS files"), login, network=True),
    Step("publish", ("login",), publish, network=True),
)
