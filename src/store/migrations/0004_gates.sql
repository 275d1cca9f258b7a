-- Until when nothing may be sent in a quota scope that AWS has throttled, so that whoever polls it next,
-- after a restart or another, begins no earlier.

CREATE TABLE gates (
    scope                   TEXT NOT NULL PRIMARY KEY,
    until                   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
