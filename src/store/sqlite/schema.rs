//! The form of the database, as the steps that lead to it.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// What SQLite keeps in the header of our files, and of nobody else's: "rgwt".
pub(super) const APPLICATION_ID: u32 = 0x7267_7774;

/// Writes the [`APPLICATION_ID`].
pub(super) const MARK_AS_OURS: &str = "PRAGMA application_id = 0x72677774";

/// The steps in their order. A step that was released never changes again: the file keeps its checksum.
const STEPS: &[(&str, &str)] = &[
    ("states and events", include_str!("../migrations/0001_states_and_events.sql")),
    ("silences", include_str!("../migrations/0002_silences.sql")),
    ("members", include_str!("../migrations/0003_members.sql")),
    ("gates", include_str!("../migrations/0004_gates.sql")),
];

/// What brings a database to its latest form, each step in a transaction.
pub(super) fn migrator() -> Migrator {
    Migrator::with_migrations(steps(STEPS))
}

/// Steps numbered from 1.
fn steps(steps: &[(&'static str, &'static str)]) -> Vec<Migration> {
    let numbered = (1..).zip(steps);
    numbered
        .map(|(number, &(what, sql))| {
            Migration::new(number, Cow::Borrowed(what), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}
