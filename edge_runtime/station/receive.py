"""From one MQTT message to rows. Runs inside the caller's transaction; the caller commits.

What can be read is stored once; what cannot be read yet is held; what is no payload is kept for a person to look at.
"""

from __future__ import annotations

import sqlite3

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.station import messages, streams
from edge_runtime.station.messages import Hold, Origin, Stored
from edge_runtime.station.values import Arrival, Committed, StoredCardReport, StoredEvent
from edge_runtime.uplink import topics
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.uplink.topics import Kind

MAX_BAD = 1000
"""Of the messages that are no payload, this many are kept; all are counted."""
MAX_BAD_BYTES = 1024
"""Of each, this many bytes."""
MAX_HELD = 2000
"""Messages held for one device. More are let go of: they are not acknowledged, so the device keeps them."""


class Receiver:
    """Takes one arrival and remembers what it brought.

    Args:
        connection: inside a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._events: list[StoredEvent] = []
        self._card_reports: list[StoredCardReport] = []
        self._acknowledge: set[str] = set()
        self._ask: set[tuple[str, int]] = set()

    def committed(self) -> Committed:
        """What came of it, for use once the transaction has committed."""
        return Committed(
            tuple(self._events), tuple(self._card_reports), frozenset(self._acknowledge), frozenset(self._ask)
        )

    def take(self, arrival: Arrival) -> None:
        """Store one message.

        Raises:
            PayloadError: it is none of ours; see `keep_bad`.
        """
        device, kind = topics.split(arrival.topic)
        if kind is Kind.EVENTS:
            self._take_message(device, arrival)
        elif not arrival.payload:
            return  # A retained topic that was cleared.
        elif kind is Kind.ONLINE:
            self._take_online(device, arrival)
        elif kind in (Kind.CODEBOOK, Kind.STATUS):
            try:
                (self._take_codebook if kind is Kind.CODEBOOK else self._take_status)(device, arrival)
            except UnknownPayloadError as error:
                self._hold(device, kind, arrival, messages.NEWER, str(error))
        self._note_contact(device, kind, arrival)

    def keep_bad(self, arrival: Arrival, reason: str) -> None:
        """Keep bytes that nothing can be made of, within bounds, and count them."""
        device, _, kind = arrival.topic.removeprefix(f"{topics.ROOT}/").partition("/")
        payload = arrival.payload[:MAX_BAD_BYTES]
        if self._keep("bad", device[:64], kind[:16], payload, arrival.received_s, "", reason):
            self._count("bad", 1)
        self._connection.execute(
            "DELETE FROM message WHERE state = 'bad' AND id <= "
            "(SELECT id FROM message WHERE state = 'bad' ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (MAX_BAD,),
        )

    def release_held(self, device: str | None = None) -> None:
        """Look again at what is held: of one device, or of all, as after an update of the program."""
        rows = self._connection.execute(
            "SELECT id, device, kind, payload, received_s FROM message WHERE state = 'held' AND "
            "(:device IS NULL OR (device = :device AND reason <> :newer)) ORDER BY id",
            {"device": device, "newer": messages.NEWER},
        ).fetchall()
        for row in [row for row in rows if row["kind"] != Kind.EVENTS.value]:
            self._connection.execute("DELETE FROM message WHERE id = ?", (row["id"],))
            topic = topics.topic(row["device"], Kind(row["kind"]))
            self.take(Arrival(topic, row["payload"], row["received_s"], retained=True))
        for row in [row for row in rows if row["kind"] == Kind.EVENTS.value]:
            self._take_held(Origin(row["device"], row["payload"], row["received_s"], row["id"]))

    def _take_held(self, origin: Origin) -> None:
        try:
            stored = messages.store(self._connection, origin)
        except Hold as hold:
            self._connection.execute(
                "UPDATE message SET reason = ?, detail = ? WHERE id = ?", (hold.reason, hold.detail, origin.message_id)
            )
            return
        except PayloadError as error:
            self._connection.execute("DELETE FROM message WHERE id = ?", (origin.message_id,))
            topic = topics.events(origin.device)
            self.keep_bad(Arrival(topic, origin.payload, origin.received_s), str(error))
            return
        self._connection.execute(
            "UPDATE message SET state = 'decoded', reason = '', detail = '' WHERE id = ?", (origin.message_id,)
        )
        self._note(origin, stored)

    def _take_message(self, device: str, arrival: Arrival) -> None:
        row = self._connection.execute(
            "INSERT INTO message (device, kind, payload, received_s, state) VALUES (?, 'e', ?, ?, 'decoded')",
            (device, arrival.payload, arrival.received_s),
        )
        origin = Origin(device, arrival.payload, arrival.received_s, int(row.lastrowid or 0))
        try:
            stored = messages.store(self._connection, origin)
        except Hold as hold:
            self._connection.execute("DELETE FROM message WHERE id = ?", (origin.message_id,))
            self._hold(device, Kind.EVENTS, arrival, hold.reason, hold.detail)
            if hold.ask_for is not None:
                self._ask.add((device, hold.ask_for))
        else:
            self._note(origin, stored)

    def _note(self, origin: Origin, stored: Stored) -> None:
        if not stored.fresh:
            self._connection.execute("DELETE FROM message WHERE id = ?", (origin.message_id,))
        if stored.duplicates:
            self._count("duplicates", stored.duplicates)
        self._events += stored.events
        self._card_reports += stored.card_reports
        self._acknowledge.add(origin.device)

    def _take_codebook(self, device: str, arrival: Arrival) -> None:
        codebook = Codebook.from_bytes(arrival.payload)
        if codebook.device != device:
            raise PayloadError(f"a codebook of '{codebook.device}' on the topic of '{device}'")
        self._connection.execute(
            "INSERT INTO codebook (device, epoch, digest, wire_id, tiny_id, body, received_s, newest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(newest), 0) + 1 FROM codebook)) "
            "ON CONFLICT (device, digest) DO UPDATE SET newest = excluded.newest",
            (
                *(device, codebook.epoch, codebook.digest, codebook.wire_id, codebook.tiny_id),
                *(arrival.payload, arrival.received_s),
            ),
        )
        self.release_held(device)

    def _take_status(self, device: str, arrival: Arrival) -> None:
        status = DeviceStatus.from_bytes(arrival.payload)
        before = streams.open_stream(self._connection, device, status.epoch)
        stream = streams.hear_status(self._connection, before, status.first, status.next)
        self._connection.execute(
            "INSERT INTO device (name, status, status_s) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET status = excluded.status, status_s = excluded.status_s",
            (device, arrival.payload, arrival.received_s),
        )
        self.release_held(device)
        if status.first <= stream.contiguous:
            self._acknowledge.add(device)  # It still holds what is here: an acknowledgement got lost.

    def _take_online(self, device: str, arrival: Arrival) -> None:
        if arrival.payload not in (topics.ONLINE, topics.OFFLINE):
            raise PayloadError("neither online nor offline")
        online = arrival.payload == topics.ONLINE
        self._connection.execute(
            "INSERT INTO device (name, online) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET online = excluded.online",
            (device, online),
        )
        if online:
            self._acknowledge.add(device)

    def _note_contact(self, device: str, kind: Kind, arrival: Arrival) -> None:
        # The word "offline" is the broker's, and what was retained is old news.
        if arrival.retained or (kind is Kind.ONLINE and arrival.payload == topics.OFFLINE):
            return
        self._connection.execute(
            "INSERT INTO device (name, last_contact_s) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET last_contact_s = excluded.last_contact_s",
            (device, arrival.received_s),
        )

    def _hold(self, device: str, kind: Kind, arrival: Arrival, reason: str, detail: str) -> None:
        held = self._connection.execute(
            "SELECT COUNT(*) FROM message WHERE state = 'held' AND device = ?", (device,)
        ).fetchone()[0]
        if held < MAX_HELD:
            self._keep("held", device, kind.value, arrival.payload, arrival.received_s, reason, detail)

    def _keep(
        self, state: str, device: str, kind: str, payload: bytes, received_s: int, reason: str, detail: str
    ) -> int:
        row = {"state": state, "device": device, "kind": kind, "payload": payload, "received_s": received_s}
        return messages.insert(self._connection, "message", {**row, "reason": reason, "detail": detail[:500]})

    def _count(self, name: str, more: int) -> None:
        self._connection.execute(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, more),
        )
