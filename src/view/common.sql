-- What every book's view has, whatever the book: the tables that the machinery itself writes
-- (COMMON_STATEMENTS in src/view/statements.h). In front of operator.sql and of merchant.sql.

CREATE TABLE meta (              -- one row for each name
    name TEXT PRIMARY KEY,       -- position (of the last frame that is in here), generation, time,
                                 -- time_ns, events_skipped (of kinds that this program does not
                                 -- know), journal, batch_hash, schema_version, fingerprint
    value NOT NULL
) WITHOUT ROWID;

CREATE TABLE import_parts (      -- decisions of a world that is on its way in from a file
    position INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    cause INTEGER NOT NULL,      -- 0: the first, with the time when it was saved
    events BLOB NOT NULL
);

CREATE TABLE worlds (            -- saved worlds: their rows are in the tables saved_*
    name TEXT PRIMARY KEY,
    world INTEGER NOT NULL,      -- column world of saved_*; a copy has its original's
    saved_at TEXT NOT NULL,      -- in the book's time
    position INTEGER NOT NULL    -- journal position of the decision that saved it
);

