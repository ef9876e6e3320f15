"""The gallery's schema, one migration per version. A released migration is never edited."""

MIGRATIONS = (
    """
    -- One row. The revision counts changes, so that whoever holds a copy in memory sees that it is old.
    CREATE TABLE gallery (
        revision INTEGER NOT NULL,
        embedder TEXT,
        dimensions INTEGER
    );
    INSERT INTO gallery VALUES (0, NULL, NULL);

    CREATE TABLE individual (
        id INTEGER PRIMARY KEY,
        species TEXT NOT NULL,
        name TEXT NOT NULL,
        added_s INTEGER NOT NULL,
        UNIQUE (species, name)
    );

    -- Vectors are float16, little-endian, of length 1. Boxes are fractions of the photo.
    CREATE TABLE annotation (
        id INTEGER PRIMARY KEY,
        individual_id INTEGER NOT NULL REFERENCES individual (id),
        viewpoint TEXT NOT NULL,
        vector BLOB NOT NULL,
        sha256 BLOB NOT NULL,
        file TEXT NOT NULL,
        x1 REAL NOT NULL,
        y1 REAL NOT NULL,
        x2 REAL NOT NULL,
        y2 REAL NOT NULL,
        added_s INTEGER NOT NULL,
        UNIQUE (sha256, x1, y1, x2, y2)
    );
    CREATE INDEX annotation_individual ON annotation (individual_id);

    -- What a change to a species throws away is measured again when it is asked for. Viewpoint '*': all of them.
    CREATE TABLE calibration (
        species TEXT NOT NULL,
        viewpoint TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (species, viewpoint)
    ) WITHOUT ROWID;
    CREATE TABLE false_accepts (
        species TEXT PRIMARY KEY,
        rate REAL NOT NULL
    ) WITHOUT ROWID;
    """,
)
