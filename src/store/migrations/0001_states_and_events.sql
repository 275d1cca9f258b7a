-- The last known states, the event log, and how far each sink has come with it.
--
-- Times are whole nanoseconds since 1970-01-01T00:00:00Z: they compare as numbers, lose nothing of what
-- was told, and reach to the year 2262. A region is '' for a probe that has none. Words are those that
-- the log and the API use.

CREATE TABLE targets (
    account                 TEXT NOT NULL,
    probe                   TEXT NOT NULL,
    region                  TEXT NOT NULL,
    -- Which of the names below belong together: 'fleetwise', 'govcloud', or NULL for none.
    details                 TEXT,
    role_arn                TEXT,
    timestream_database     TEXT,
    timestream_table        TEXT,
    govcloud_account        TEXT,
    created_at              INTEGER,
    modified_at             INTEGER,
    last_success            INTEGER,
    PRIMARY KEY (account, probe, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE resources (
    account                 TEXT NOT NULL,
    probe                   TEXT NOT NULL,
    region                  TEXT NOT NULL,
    -- The order in which AWS told of them, the target itself first.
    position                INTEGER NOT NULL,
    resource                TEXT NOT NULL,
    status                  TEXT NOT NULL,
    text                    TEXT,
    error_message           TEXT,
    since                   INTEGER NOT NULL,
    PRIMARY KEY (account, probe, region, position),
    FOREIGN KEY (account, probe, region) REFERENCES targets ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    -- AUTOINCREMENT: a number is never used again, even if the latest entry has been pruned.
    sequence                INTEGER PRIMARY KEY AUTOINCREMENT,
    id                      TEXT NOT NULL UNIQUE,
    account                 TEXT NOT NULL,
    account_name            TEXT NOT NULL,
    -- A JSON object: the names are the user's own.
    labels                  TEXT NOT NULL,
    probe                   TEXT NOT NULL,
    region                  TEXT NOT NULL,
    kind                    TEXT NOT NULL,
    resource                TEXT NOT NULL,
    from_status             TEXT,
    to_status               TEXT NOT NULL,
    text                    TEXT,
    error_message           TEXT,
    previous_since          INTEGER,
    observed_at             INTEGER NOT NULL,
    aws_modified_at         INTEGER,
    role_arn                TEXT,
    timestream_database     TEXT,
    timestream_table        TEXT
) STRICT;

-- For the history of an account, which is a small part of the log.
CREATE INDEX events_by_account ON events (account);

-- For retention, and to begin a query at a time.
CREATE INDEX events_by_time ON events (observed_at);

CREATE TABLE sinks (
    name                    TEXT NOT NULL PRIMARY KEY,
    -- The last entry that the sink is done with.
    cursor                  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a sink has given up on.
CREATE TABLE parked (
    sink                    TEXT NOT NULL,
    sequence                INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
    reason                  TEXT NOT NULL,
    PRIMARY KEY (sink, sequence)
) STRICT, WITHOUT ROWID;

-- For the cascade: without it each pruned entry would cost a scan.
CREATE INDEX parked_by_sequence ON parked (sequence);
