"""The station's schema, one migration per version. A released migration is never edited."""

MIGRATIONS = (
    """
    CREATE TABLE device (
        name TEXT PRIMARY KEY,
        online INTEGER,
        last_contact_s INTEGER,
        status BLOB,
        status_s INTEGER
    ) WITHOUT ROWID;

    -- `newest` counts up with each arrival, so that a codebook published again is the newest again.
    CREATE TABLE codebook (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        digest BLOB NOT NULL,
        wire_id INTEGER NOT NULL,
        tiny_id INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        body BLOB NOT NULL,
        received_s INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        UNIQUE (device, digest)
    );
    CREATE INDEX codebook_wire ON codebook (device, wire_id);
    CREATE INDEX codebook_tiny ON codebook (device, tiny_id);

    -- One epoch of one device: sequence numbers count from 1 in each.
    -- `base` is where this station came in, `floor` the lowest number that the device still holds; both are unknown
    -- until the device's status told. Everything up to `contiguous` is accounted for.
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        epoch TEXT NOT NULL,
        base INTEGER,
        floor INTEGER,
        next INTEGER,
        contiguous INTEGER NOT NULL DEFAULT 0,
        UNIQUE (device, epoch)
    );

    -- Numbers that the device let go of and that never came here: another station has them, or nobody.
    CREATE TABLE forfeited (
        stream_id INTEGER NOT NULL REFERENCES stream (id),
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (stream_id, first)
    ) WITHOUT ROWID;

    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        kind TEXT NOT NULL,
        payload BLOB NOT NULL,
        received_s INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('decoded', 'held', 'bad')),
        reason TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT ''
    );
    -- The same bytes again are no new fact: a device repeats what is not acknowledged.
    CREATE UNIQUE INDEX message_once ON message (state, device, kind, payload) WHERE state <> 'decoded';

    -- Whatever has a sequence number of its own, so that an event and a card report cannot both claim it.
    -- `record` is the content in one canonical encoding, to tell a repetition from a contradiction.
    CREATE TABLE summary (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream_id INTEGER NOT NULL REFERENCES stream (id),
        sequence INTEGER NOT NULL,
        record BLOB NOT NULL,
        message_id INTEGER NOT NULL,
        UNIQUE (stream_id, sequence)
    );

    CREATE TABLE event (
        id INTEGER PRIMARY KEY REFERENCES summary (id),
        device TEXT NOT NULL,
        camera TEXT NOT NULL,
        start_s INTEGER,
        duration_s INTEGER NOT NULL,
        images INTEGER NOT NULL,
        clock INTEGER NOT NULL,
        counts TEXT NOT NULL,
        thumbnail INTEGER NOT NULL,
        review INTEGER NOT NULL,
        payload_bytes REAL NOT NULL,
        message_bytes INTEGER NOT NULL,
        received_s INTEGER NOT NULL
    );
    CREATE INDEX event_received ON event (received_s);
    CREATE INDEX event_device ON event (device, id);

    CREATE TABLE card_report (
        id INTEGER PRIMARY KEY REFERENCES summary (id),
        device TEXT NOT NULL,
        time_s INTEGER NOT NULL,
        photos INTEGER NOT NULL,
        empty INTEGER NOT NULL,
        events INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        duplicates INTEGER NOT NULL,
        videos INTEGER NOT NULL,
        received_s INTEGER NOT NULL
    );

    -- Numbers that the device had to drop and says so: `sequence` to `sequence + count - 1`.
    CREATE TABLE loss (
        id INTEGER PRIMARY KEY,
        stream_id INTEGER NOT NULL REFERENCES stream (id),
        sequence INTEGER NOT NULL,
        count INTEGER NOT NULL,
        reason INTEGER NOT NULL,
        time_s INTEGER NOT NULL,
        record BLOB NOT NULL,
        message_id INTEGER NOT NULL,
        UNIQUE (stream_id, sequence)
    );

    -- A second content under a number that is taken: never dropped, never shown as the truth.
    CREATE TABLE conflict (
        id INTEGER PRIMARY KEY,
        stream_id INTEGER NOT NULL REFERENCES stream (id),
        sequence INTEGER NOT NULL,
        record BLOB NOT NULL,
        message_id INTEGER NOT NULL,
        UNIQUE (stream_id, sequence, record)
    );

    CREATE TABLE counter (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- Animals that a device's gallery knows. `last_event` is the one that happened last, at `last_s`.
    CREATE TABLE animal (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL,
        name TEXT NOT NULL,
        events INTEGER NOT NULL,
        last_event INTEGER NOT NULL REFERENCES event (id),
        last_s INTEGER NOT NULL,
        UNIQUE (label, name)
    );
    CREATE INDEX animal_last ON animal (last_s);

    CREATE TABLE sighting (
        animal_id INTEGER NOT NULL REFERENCES animal (id),
        event_id INTEGER NOT NULL REFERENCES event (id),
        PRIMARY KEY (animal_id, event_id)
    ) WITHOUT ROWID;
    """,
)
