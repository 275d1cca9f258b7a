-- Who belongs to each organization, so that a restart goes on with those that were found while nobody can
-- be asked for them.

CREATE TABLE organizations (
    -- What the configuration calls it.
    name                    TEXT NOT NULL PRIMARY KEY,
    -- When it was last listed as a whole.
    listed_at               INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    organization            TEXT NOT NULL,
    account                 TEXT NOT NULL,
    name                    TEXT NOT NULL,
    -- When it was first missing; NULL while it is there.
    left_at                 INTEGER,
    PRIMARY KEY (organization, account),
    FOREIGN KEY (organization) REFERENCES organizations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
