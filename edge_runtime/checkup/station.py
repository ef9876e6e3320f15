"""Whether a station acknowledges, end to end.

Only what PAYLOAD.md has a device say at every connection is said: that it is connected, its status and, to a station
that does not know it, its codebook. No event is made up. A station acknowledges a device that says that it is
connected. Beside a running daemon nothing is said: its journal tells what a station has acknowledged.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import edge_runtime
from edge_runtime import database
from edge_runtime.checkup.login import DAEMON, STOP, not_allowed
from edge_runtime.checkup.mqtt_session import Session
from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.errors import JournalError, PayloadError
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.journal.outbox import Outbox
from edge_runtime.journal.schema import MIGRATIONS
from edge_runtime.uplink import topics
from edge_runtime.uplink.ack import Ack, acknowledged
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.status import DeviceStatus

LATE_S = 600
"""A summary that waits for longer was not delivered at the first try."""
KNOWN_SHARE = 0.3
"""Of the time for an answer: what a station gets that should know the device, before it is introduced once more."""


def station(visit: Visit) -> Finding:
    """Wait for the acknowledgement to what was said; introduce the device where there is none."""
    session, file = visit.session, Path(visit.settings.data) / FILE_NAME
    if visit.world.daemon_runs():
        return _daemons(visit, file)
    if session is None:
        return skipped("there is no connection")
    if not file.exists():
        return skipped(
            "a device without a journal has nothing to introduce itself with",
            f"edge-runtime run -c {visit.config} --until-idle, then this again",
        )
    if _is_older(file):
        # Bringing it up to date is the daemon's business, under the daemon's account.
        return skipped(
            "an older program made the journal", f"edge-runtime run -c {visit.config} --until-idle, then this again"
        )
    started = visit.announced_at
    until = time.monotonic() + visit.answer_seconds
    try:
        with closing(Journal(file, device=visit.settings.device)) as journal:
            codebook = _codebook(visit, journal)
            ack = None
            if journal.get(key(codebook.digest)) == "confirmed":
                ack = _wait(session, journal, time.monotonic() + KNOWN_SHARE * visit.answer_seconds)
            if ack is None:
                refused = _introduce(visit, session, journal, codebook)
                if refused is not None:
                    return refused
                ack = _wait(session, journal, until)
            if ack is None:
                return _silent(visit)
            return _answered(visit, journal, ack, (time.monotonic() - started) * 1000)
    except JournalError as error:
        return bad(str(error), "see 'journal' above")


def _is_older(file: Path) -> bool:
    with closing(database.open_read_only(file)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0]) < len(MIGRATIONS)


def _daemons(visit: Visit, file: Path) -> Finding:
    """What the running daemon's journal tells of its station."""
    if not file.exists():
        return skipped(DAEMON, STOP)
    with closing(database.open_read_only(file)) as connection:
        outbox = Outbox(connection)
        _, following = outbox.span()
        oldest = next(iter(outbox.after(0, limit=1)), None)
        waiting = outbox.waiting()
    if oldest is None and following > 1:
        return good(f"`edge-runtime run` is at work; a station has acknowledged all {following - 1} of its summaries")
    late_s = visit.world.now() - oldest.created_s if oldest is not None else 0.0
    if late_s < LATE_S:
        return skipped(DAEMON, STOP)
    return warn(
        f"`edge-runtime run` is at work, but {waiting} summaries wait, the oldest for {late_s / 3600:.1f} h",
        f"sudo journalctl -u edge-runtime -n 30; {STOP}",
    )


def key(digest: bytes) -> str:
    """Under which the journal notes that a codebook was published: the link believes no acknowledgement of another."""
    return f"codebook/{digest[:4].hex()}"


def _introduce(visit: Visit, session: Session, journal: Journal, codebook: Codebook) -> Finding | None:
    """What the link says at a connection; what is wrong where the broker refuses it."""
    if journal.get(key(codebook.digest)) is None:
        journal.put(key(codebook.digest), "published")
    device = visit.settings.device
    for topic, payload in (
        (topics.codebook(device), codebook.to_bytes()),
        (topics.status(device), _status(journal).to_bytes()),
        (topics.online(device), topics.ONLINE),
    ):
        answer = session.publish(topic, payload)
        if not answer.accepted:
            return not_allowed(visit, "write", topic, answer)
    return None


def _wait(session: Session, journal: Journal, until: float) -> Ack | None:
    """The next acknowledgement of this journal's epoch."""
    while (payload := session.message(until - time.monotonic())) is not None:
        try:
            ack = Ack.decode(payload)
        except PayloadError:
            continue  # of a later version, or somebody else's
        if journal.get(key(ack.codebook)) is not None:
            return ack
    return None


def _answered(visit: Visit, journal: Journal, ack: Ack, milliseconds: float) -> Finding:
    first, following = journal.outbox.span()
    up_to, further = acknowledged(ack, first)
    last = max((up_to, *further))
    if last >= following:
        return bad(
            f"a station has number {last} of '{visit.settings.device}', which this device has not made yet: another "
            "one sends with the same name and a copy of its journal",
            f"set another `device:` and an empty `data:` in {visit.config} of the copied device",
        )
    what = f"everything up to {up_to}" if up_to else "this device, which has sent nothing yet"
    told = f"a station acknowledges {what} (after {milliseconds:.0f} ms)"
    waiting = journal.outbox.waiting()
    if waiting:
        return warn(
            f"{told}; {waiting} summaries wait, and no `edge-runtime run` is at work to send them",
            f"edge-runtime run -c {visit.config}",
        )
    return good(told)


def _silent(visit: Visit) -> Finding:
    uplink = visit.settings.uplink
    found = f"no station acknowledged within {visit.answer_seconds:.0f} s"
    serve = f"on the station: edge-station serve -c station.yaml, with the broker {uplink.host}:{uplink.port}"
    if visit.subscribers is False:
        return bad(f"{found}: nobody has subscribed at this broker", serve)
    return bad(
        f"{found}, although somebody has subscribed" if visit.subscribers else found,
        f"{serve}; if it runs, in the broker's acl_file: `pattern read ct/1/%u/a` for devices, `topic read ct/1/#` and "
        "`topic write ct/1/+/a` for the station",
    )


def _codebook(visit: Visit, journal: Journal) -> Codebook:
    """As the link makes it."""
    titles: dict[str, str] = {task: bundle.title for task, bundle in visit.bundles.items() if task != "embedder"}
    return Codebook(
        device=visit.settings.device,
        epoch=journal.epoch,
        cameras=journal.codes.names("camera"),
        labels=journal.codes.names("label"),
        models=titles,
        time_zone=visit.settings.time_zone,
        individuals=journal.codes.names("individual"),
    )


def _status(journal: Journal) -> DeviceStatus:
    first, following = journal.outbox.span()
    totals = journal.ledger.totals()
    return DeviceStatus(
        epoch=journal.epoch,
        first=first,
        next=following,
        photos=totals.photos,
        failed=totals.failed,
        waiting=journal.outbox.waiting(),
        version=edge_runtime.__version__,
    )


STEPS = (Step("station", ("journal", "models", "publish"), station, network=True),)
