"""The journal's schema, one migration per version. A released migration is never edited."""

MIGRATIONS = (
    """
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;

    -- Names get small numbers in the order in which they first appear; they travel as these numbers.
    CREATE TABLE code (
        kind TEXT NOT NULL CHECK (kind IN ('camera', 'label')),
        name TEXT NOT NULL,
        code INTEGER NOT NULL,
        PRIMARY KEY (kind, name),
        UNIQUE (kind, code)
    ) WITHOUT ROWID;

    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        camera TEXT NOT NULL,
        start_s INTEGER,
        end_s INTEGER,
        time_source TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'sent', 'empty')),
        sequence INTEGER
    );
    CREATE INDEX event_open ON event (camera) WHERE state = 'open';

    CREATE TABLE photo (
        id INTEGER PRIMARY KEY,
        sha256 BLOB NOT NULL UNIQUE,
        camera TEXT NOT NULL,
        captured_s INTEGER,
        time_source TEXT NOT NULL,
        make TEXT NOT NULL,
        model TEXT NOT NULL,
        serial TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        empty INTEGER NOT NULL,
        processed_s INTEGER NOT NULL,
        event_id INTEGER NOT NULL REFERENCES event (id),
        reported INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX photo_event ON photo (event_id);
    CREATE INDEX photo_unreported ON photo (id) WHERE reported = 0;

    CREATE TABLE detection (
        photo_id INTEGER NOT NULL REFERENCES photo (id),
        rank INTEGER NOT NULL,
        category TEXT NOT NULL,
        confidence REAL NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL,
        x2 REAL NOT NULL,
        y2 REAL NOT NULL,
        species TEXT,
        species_confidence REAL,
        PRIMARY KEY (photo_id, rank)
    ) WITHOUT ROWID;

    -- One row per file on a card. Paths are bytes, as file systems have them.
    CREATE TABLE file (
        path BLOB PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        photo_id INTEGER REFERENCES photo (id),
        duplicate INTEGER NOT NULL DEFAULT 0,
        video INTEGER NOT NULL DEFAULT 0,
        failure TEXT,
        problem TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        final INTEGER NOT NULL DEFAULT 1,
        reported INTEGER NOT NULL DEFAULT 0,
        CHECK ((photo_id IS NULL) <> (failure IS NULL))
    ) WITHOUT ROWID;
    CREATE INDEX file_unreported ON file (path) WHERE reported = 0;
    CREATE INDEX file_photo ON file (photo_id);

    CREATE TABLE outbox (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('event', 'card')),
        body BLOB NOT NULL,
        created_s INTEGER NOT NULL
    );
    """,
    """
    -- Counts over everything, which the tables keep themselves: counting a million rows takes a small board seconds.
    CREATE TABLE total (
        photos INTEGER NOT NULL,
        empty INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        duplicates INTEGER NOT NULL,
        videos INTEGER NOT NULL,
        events INTEGER NOT NULL
    );
    INSERT INTO total SELECT
        (SELECT COUNT(*) FROM photo),
        (SELECT COALESCE(SUM(empty), 0) FROM photo),
        (SELECT COUNT(*) FROM file WHERE failure IS NOT NULL AND NOT video),
        (SELECT COALESCE(SUM(duplicate), 0) FROM file),
        (SELECT COALESCE(SUM(video), 0) FROM file),
        (SELECT COUNT(*) FROM event WHERE state = 'sent');
    CREATE TRIGGER photo_counted AFTER INSERT ON photo BEGIN
        UPDATE total SET photos = photos + 1, empty = empty + new.empty; END;
    CREATE TRIGGER event_counted AFTER UPDATE OF state ON event BEGIN
        UPDATE total SET events = events + (new.state = 'sent') - (old.state = 'sent'); END;
    CREATE TRIGGER file_counted AFTER INSERT ON file WHEN new.failure IS NOT NULL OR new.duplicate BEGIN
        UPDATE total SET failed = failed + (new.failure IS NOT NULL AND NOT new.video),
            duplicates = duplicates + new.duplicate, videos = videos + new.video; END;
    CREATE TRIGGER file_uncounted AFTER DELETE ON file WHEN old.failure IS NOT NULL OR old.duplicate BEGIN
        UPDATE total SET failed = failed - (old.failure IS NOT NULL AND NOT old.video),
            duplicates = duplicates - old.duplicate, videos = videos - old.video; END;
    CREATE TRIGGER file_recounted AFTER UPDATE OF failure, duplicate, video ON file BEGIN
        UPDATE total SET
            failed = failed + (new.failure IS NOT NULL AND NOT new.video) - (old.failure IS NOT NULL AND NOT old.video),
            duplicates = duplicates + new.duplicate - old.duplicate,
            videos = videos + new.video - old.video; END;
    CREATE INDEX file_failed ON file (path) WHERE failure IS NOT NULL AND NOT video;
    DROP INDEX file_photo;
    """,
    """
    -- Photos that were recorded as empty without inference: nothing changed since an empty frame of their burst.
    ALTER TABLE photo ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE total ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;
    DROP TRIGGER photo_counted;
    CREATE TRIGGER photo_counted AFTER INSERT ON photo BEGIN
        UPDATE total SET photos = photos + 1, empty = empty + new.empty,
            passed_over = passed_over + new.passed_over; END;
    """,
    """
    -- Videos are media like photos; NULL in a photo. `frames` is a JSON list of the numbers of those looked at.
    ALTER TABLE photo ADD COLUMN frame_rate REAL;
    ALTER TABLE photo ADD COLUMN duration_s REAL;
    ALTER TABLE photo ADD COLUMN frames TEXT;
    ALTER TABLE photo ADD COLUMN problem TEXT NOT NULL DEFAULT '';
    -- Why a person should look at it; empty for none.
    ALTER TABLE photo ADD COLUMN review TEXT NOT NULL DEFAULT '';
    CREATE INDEX photo_review ON photo (id) WHERE review <> '';
    UPDATE file SET final = 0, attempts = 0 WHERE video AND problem = 'videos are not read yet';

    -- Videos count as such only where they could not be read.
    DROP TRIGGER file_counted;
    DROP TRIGGER file_uncounted;
    DROP TRIGGER file_recounted;
    CREATE TRIGGER file_counted AFTER INSERT ON file WHEN new.failure IS NOT NULL OR new.duplicate BEGIN
        UPDATE total SET failed = failed + (new.failure IS NOT NULL AND NOT new.video),
            duplicates = duplicates + new.duplicate, videos = videos + (new.failure IS NOT NULL AND new.video); END;
    CREATE TRIGGER file_uncounted AFTER DELETE ON file WHEN old.failure IS NOT NULL OR old.duplicate BEGIN
        UPDATE total SET failed = failed - (old.failure IS NOT NULL AND NOT old.video),
            duplicates = duplicates - old.duplicate, videos = videos - (old.failure IS NOT NULL AND old.video); END;
    CREATE TRIGGER file_recounted AFTER UPDATE OF failure, duplicate, video ON file BEGIN
        UPDATE total SET
            failed = failed + (new.failure IS NOT NULL AND NOT new.video) - (old.failure IS NOT NULL AND NOT old.video),
            duplicates = duplicates + new.duplicate - old.duplicate,
            videos = videos + (new.failure IS NOT NULL AND new.video) - (old.failure IS NOT NULL AND old.video); END;
    DROP INDEX file_failed;
    CREATE INDEX file_failed ON file (path) WHERE failure IS NOT NULL;

    -- What read a photo: models and thresholds, as JSON. NULL for photos of older programs.
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        body TEXT NOT NULL UNIQUE
    );
    ALTER TABLE photo ADD COLUMN run_id INTEGER REFERENCES run (id);

    -- `scores` is a JSON list of [label, probability], `track` names the animal through its event.
    ALTER TABLE detection ADD COLUMN frame INTEGER;
    ALTER TABLE detection ADD COLUMN scores TEXT;
    ALTER TABLE detection ADD COLUMN track INTEGER;
    ALTER TABLE detection ADD COLUMN repeat_id INTEGER;

    -- One animal through the photos of its event: what they say of it together, by `rule`; `support` is the share of
    -- its `frames` that say the same alone.
    CREATE TABLE track (
        event_id INTEGER NOT NULL REFERENCES event (id),
        track INTEGER NOT NULL,
        species TEXT,
        confidence REAL,
        rule TEXT NOT NULL,
        support REAL NOT NULL,
        frames INTEGER NOT NULL,
        individual TEXT,
        individual_score REAL,
        PRIMARY KEY (event_id, track)
    ) WITHOUT ROWID;

    -- How one detection looks: float16, length 1, by the embedder `model`.
    CREATE TABLE embedding (
        photo_id INTEGER NOT NULL REFERENCES photo (id),
        rank INTEGER NOT NULL,
        model TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (photo_id, rank)
    );

    -- A place in a fixed camera's view that is found again and again. `cell` narrows the search for it.
    CREATE TABLE repeat (
        id INTEGER PRIMARY KEY,
        camera TEXT NOT NULL,
        cell INTEGER NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL,
        x2 REAL NOT NULL,
        y2 REAL NOT NULL,
        events INTEGER NOT NULL,
        last_event INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('suspect', 'repeat', 'real'))
    );
    CREATE INDEX repeat_cell ON repeat (camera, cell);

    -- What people said, by picture: it wins over the machine's word whenever the picture is read, before or after.
    CREATE TABLE answer (
        sha256 BLOB PRIMARY KEY,
        species TEXT NOT NULL,
        given_s INTEGER NOT NULL,
        source TEXT NOT NULL
    ) WITHOUT ROWID;

    -- Individuals get numbers too.
    CREATE TABLE newer_code (
        kind TEXT NOT NULL CHECK (kind IN ('camera', 'label', 'individual')),
        name TEXT NOT NULL,
        code INTEGER NOT NULL,
        PRIMARY KEY (kind, name),
        UNIQUE (kind, code)
    ) WITHOUT ROWID;
    INSERT INTO newer_code SELECT * FROM code;
    DROP TABLE code;
    ALTER TABLE newer_code RENAME TO code;
    """,
)
