"""What became of the files since a ranger was last told."""

from __future__ import annotations

import sqlite3

from edge_runtime.values import CardReport


class CardReports:
    """The card reports of one journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def take(self, *, now_s: int) -> CardReport | None:
        """The report over everything since the last one, or None where nothing happened; marks it as reported.

        A failure that is still to be tried again waits for the next report. Call inside the transaction that puts
        the report into the outbox.
        """
        run = self._connection.execute
        photos, empty = run("SELECT COUNT(*), COALESCE(SUM(empty), 0) FROM photo WHERE reported = 0").fetchone()
        failed, duplicates, videos = run(
            "SELECT COALESCE(SUM(failure IS NOT NULL AND NOT video), 0), COALESCE(SUM(duplicate), 0), "
            "COALESCE(SUM(failure IS NOT NULL AND video), 0) FROM file WHERE reported = 0 AND final = 1"
        ).fetchone()
        if not (photos or failed or duplicates or videos):
            return None
        # CROSS JOIN: SQLite would walk over all events ever to find those of the few new photos.
        (events,) = run(
            "SELECT COUNT(DISTINCT event.id) FROM photo CROSS JOIN event ON event.id = event_id "
            "WHERE reported = 0 AND state = 'sent'"
        ).fetchone()
        run("UPDATE photo SET reported = 1 WHERE reported = 0")
        run("UPDATE file SET reported = 1 WHERE reported = 0 AND final = 1")
        return CardReport(
            time_s=now_s,
            photos=photos,
            empty=empty,
            events=events,
            failed=failed,
            duplicates=duplicates,
            videos=videos,
        )
