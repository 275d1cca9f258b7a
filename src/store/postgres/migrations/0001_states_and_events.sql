-- What outlives the processes: the last known states, the event log, how far each sink has come with it, who
-- belongs to each organization, and who of the replicas may do what.
--
-- Times are whole nanoseconds since 1970-01-01T00:00:00Z, as SQLite has them: they compare as numbers and
-- lose nothing of what was told. Those of leases are the database's own. A region is '' for a probe that has
-- none. Words are those that the log and the API use. What names something compares by its bytes, whatever
-- the language of the database.

-- One row, which every write locks first: so the writes come one after another, and whoever sees an entry
-- sees all that have smaller numbers.
CREATE TABLE ledger (
    one                     boolean PRIMARY KEY DEFAULT TRUE CHECK (one),
    -- The number of the latest entry that there ever was, which pruning does not take back.
    sequence                bigint NOT NULL,
    -- How many writes there were. Each marks the states that it touched.
    revision                bigint NOT NULL,
    -- Up to which revision it is forgotten what has ended.
    forgotten               bigint NOT NULL,
    -- Into how many parts the replicas deal the quota scopes; NULL before the first.
    shards                  bigint
);

INSERT INTO ledger (sequence, revision, forgotten) VALUES (0, 0, 0);

CREATE TABLE targets (
    account                 text COLLATE "C" NOT NULL,
    probe                   text COLLATE "C" NOT NULL,
    region                  text COLLATE "C" NOT NULL,
    -- Which of the names below belong together: 'fleetwise', 'govcloud', or NULL for none.
    details                 text,
    role_arn                text,
    timestream_database     text,
    timestream_table        text,
    govcloud_account        text,
    created_at              bigint,
    modified_at             bigint,
    last_success            bigint,
    revision                bigint NOT NULL,
    PRIMARY KEY (account, probe, region)
);

-- For who follows what others write.
CREATE INDEX targets_by_revision ON targets (revision);

CREATE TABLE resources (
    account                 text COLLATE "C" NOT NULL,
    probe                   text COLLATE "C" NOT NULL,
    region                  text COLLATE "C" NOT NULL,
    -- The order in which AWS told of them, the target itself first.
    position                bigint NOT NULL,
    resource                text NOT NULL,
    status                  text NOT NULL,
    text                    text,
    error_message           text,
    since                   bigint NOT NULL,
    PRIMARY KEY (account, probe, region, position),
    FOREIGN KEY (account, probe, region) REFERENCES targets ON DELETE CASCADE
);

-- Targets of which nothing is kept any more, for who follows, and only for a while.
CREATE TABLE ended (
    account                 text COLLATE "C" NOT NULL,
    probe                   text COLLATE "C" NOT NULL,
    region                  text COLLATE "C" NOT NULL,
    revision                bigint NOT NULL,
    noted_at                timestamptz NOT NULL,
    PRIMARY KEY (account, probe, region)
);

CREATE TABLE events (
    sequence                bigint PRIMARY KEY,
    id                      text COLLATE "C" NOT NULL UNIQUE,
    account                 text COLLATE "C" NOT NULL,
    account_name            text NOT NULL,
    -- A JSON object: the names are the user's own.
    labels                  text NOT NULL,
    probe                   text COLLATE "C" NOT NULL,
    region                  text COLLATE "C" NOT NULL,
    kind                    text NOT NULL,
    resource                text NOT NULL,
    from_status             text,
    to_status               text NOT NULL,
    text                    text,
    error_message           text,
    previous_since          bigint,
    observed_at             bigint NOT NULL,
    aws_modified_at         bigint,
    role_arn                text,
    timestream_database     text,
    timestream_table        text
);

-- For the history of some accounts since a time, however long the log is and however busy they once were.
CREATE INDEX events_by_account_and_time ON events (account, observed_at);

-- For retention, and to begin a query at a time.
CREATE INDEX events_by_time ON events (observed_at);

CREATE TABLE silences (
    account                 text COLLATE "C" NOT NULL,
    probe                   text COLLATE "C" NOT NULL,
    region                  text COLLATE "C" NOT NULL,
    -- The last answer before it, and the first after it.
    began                   bigint NOT NULL,
    ended                   bigint NOT NULL,
    PRIMARY KEY (account, probe, region, began)
);

-- For retention.
CREATE INDEX silences_by_end ON silences (ended);

CREATE TABLE sinks (
    name                    text COLLATE "C" PRIMARY KEY,
    -- The last entry that the sink is done with.
    cursor                  bigint NOT NULL
);

-- What a sink has given up on.
CREATE TABLE parked (
    sink                    text COLLATE "C" NOT NULL,
    sequence                bigint NOT NULL REFERENCES events ON DELETE CASCADE,
    reason                  text NOT NULL,
    PRIMARY KEY (sink, sequence)
);

-- For the cascade: without it each pruned entry would cost a scan.
CREATE INDEX parked_by_sequence ON parked (sequence);

CREATE TABLE organizations (
    -- What the configuration calls it.
    name                    text COLLATE "C" PRIMARY KEY,
    -- When it was last listed as a whole.
    listed_at               bigint NOT NULL
);

CREATE TABLE members (
    organization            text COLLATE "C" NOT NULL REFERENCES organizations ON DELETE CASCADE,
    account                 text COLLATE "C" NOT NULL,
    name                    text NOT NULL,
    -- When it was first missing; NULL while it is there.
    left_at                 bigint,
    PRIMARY KEY (organization, account)
);

-- Until when nothing may be sent in a quota scope that AWS has throttled, so that whoever polls it next
-- begins no earlier.
CREATE TABLE gates (
    scope                   text COLLATE "C" PRIMARY KEY,
    until                   bigint NOT NULL
);

-- What one replica at a time may do. Whoever changes the epoch locks the row against those who write under
-- the one before; whoever renews does not.
CREATE TABLE leases (
    lease                   text COLLATE "C" PRIMARY KEY,
    epoch                   bigint NOT NULL,
    -- Both NULL while it is free.
    holder                  text COLLATE "C",
    expires_at              timestamptz,
    CHECK ((holder IS NULL) = (expires_at IS NULL))
);

CREATE TABLE replicas (
    id                      text COLLATE "C" PRIMARY KEY,
    name                    text NOT NULL,
    -- The last form of the database that it knows.
    form                    bigint NOT NULL,
    expires_at              timestamptz NOT NULL
);
