-- What a history needs beside the events: when a target was silent, for then nothing was known of it.

CREATE TABLE silences (
    account                 TEXT NOT NULL,
    probe                   TEXT NOT NULL,
    region                  TEXT NOT NULL,
    -- The last answer before it, and the first after it.
    began                   INTEGER NOT NULL,
    ended                   INTEGER NOT NULL,
    PRIMARY KEY (account, probe, region, began)
) STRICT, WITHOUT ROWID;

-- For retention.
CREATE INDEX silences_by_end ON silences (ended);

-- For the history of some accounts since a time, however long the log is and however busy they once were.
CREATE INDEX events_by_account_and_time ON events (account, observed_at);
