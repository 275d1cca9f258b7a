//! The form of the schema, as the steps that lead to it.
//!
//! Replicas are replaced one after another, so for a while two releases share a schema. Each step says from
//! which form on a program can use what it leaves behind: a step that only adds lets those go on that do not
//! know it. What they could not use is refused, by the newer program if they are at work, and by them if it
//! is done.

use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::trouble::Failed;

/// A step from one form of the schema to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it brings.
    pub what: &'static str,
    /// The least form that a program has to know to use what this leaves behind.
    pub usable_from: i64,
    /// Its statements.
    pub sql: &'static str,
}

impl Step {
    /// The steps of this release, numbered from 1.
    pub fn released() -> &'static [Self] {
        STEPS
    }
}

/// The steps in their order. One that was released never changes again: the schema keeps
/// its checksum.
const STEPS: &[Step] = &[Step {
    what: "states and events",
    usable_from: 1,
    sql: include_str!("migrations/0001_states_and_events.sql"),
}];

/// What is taken down of each step. It is the mark of our schemas, too.
const FORMS: &str = "CREATE TABLE forms (
    number                  bigint PRIMARY KEY,
    what                    text NOT NULL,
    -- The least form that a program has to know to use the schema.
    usable_from             bigint NOT NULL,
    checksum                bytea NOT NULL,
    taken_at                timestamptz NOT NULL DEFAULT clock_timestamp()
)";

/// Why a schema cannot be used as it is.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It holds tables of another program.
    Foreign { table: String },
    /// There is none, and it is to be read only.
    Missing,
    /// It lacks steps to its latest form, and is to be read only.
    Older,
    /// A newer release has brought it to a form that this one cannot use.
    Newer { found: i64, usable_from: i64 },
    /// A step was another.
    Altered { number: i64 },
    /// A replica is at work that could not use the next form.
    OldReplica { wanted: i64, replica: String, known: i64 },
    /// Replicas at work deal the quota scopes in another way.
    OtherShards { replica: String, found: i64 },
    /// It cannot be read or written.
    Failed(Failed),
}

impl From<Failed> for Unfit {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The last form that is known.
pub(super) fn known(steps: &[Step]) -> i64 {
    i64::try_from(steps.len()).expect("there are a few")
}

/// Brings a schema that exists to the latest form that is known, in a transaction that holds its lock, or
/// leaves it as it is if it is beyond that and can be used.
pub(super) async fn bring_up(
    connection: &mut PgConnection,
    schema: &str,
    steps: &[Step],
) -> Result<(), Unfit> {
    let tables = tables(connection, schema).await?;
    if !tables.iter().any(|table| table == "forms") {
        if let Some(table) = tables.into_iter().next() {
            return Err(Unfit::Foreign { table });
        }
        sqlx::raw_sql(FORMS).execute(&mut *connection).await?;
    }
    let taken = compare(connection, steps).await?;
    for (number, step) in (1..).zip(steps).skip(taken) {
        if number > 1 {
            spare_older(connection, number, step).await?;
        }
        sqlx::raw_sql(AssertSqlSafe(step.sql)).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO forms (number, what, usable_from, checksum) VALUES ($1, $2, $3, $4)")
            .bind(number)
            .bind(step.what)
            .bind(step.usable_from)
            .bind(checksum(step))
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Sees whether a schema, if there is one, is in the latest form that is known or beyond it; it is left as it
/// is.
pub(super) async fn is_current(
    connection: &mut PgConnection,
    schema: &str,
    steps: &[Step],
) -> Result<(), Unfit> {
    let tables = tables(connection, schema).await?;
    if !tables.iter().any(|table| table == "forms") {
        return Err(tables.into_iter().next().map_or(Unfit::Missing, |table| Unfit::Foreign { table }));
    }
    let taken = compare(connection, steps).await?;
    if taken < steps.len() { Err(Unfit::Older) } else { Ok(()) }
}

/// The tables of a schema; none where there is no such schema.
async fn tables(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, Unfit> {
    let tables = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE nspname = $1 AND relkind IN ('r', 'p') ORDER BY relname",
    );
    Ok(tables.bind(schema).persistent(false).fetch_all(connection).await?)
}

/// Compares the steps that were taken with those that are known, and tells how many of these were.
async fn compare(connection: &mut PgConnection, steps: &[Step]) -> Result<usize, Unfit> {
    let taken = sqlx::query("SELECT number, usable_from, checksum FROM forms ORDER BY number")
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let (mut found, mut usable_from) = (0, 0);
    for (row, step) in taken.iter().zip(steps.iter().map(Some).chain(std::iter::repeat(None))) {
        found = row.try_get("number")?;
        usable_from = usable_from.max(row.try_get("usable_from")?);
        if step.is_some_and(|step| row.get::<&[u8], _>("checksum") != checksum(step)) {
            return Err(Unfit::Altered { number: found });
        }
    }
    if usable_from > known(steps) {
        return Err(Unfit::Newer { found, usable_from });
    }
    Ok(taken.len())
}

/// Refuses a step that a replica at work could not go on with.
async fn spare_older(connection: &mut PgConnection, wanted: i64, step: &Step) -> Result<(), Unfit> {
    let older = sqlx::query(
        "SELECT name, form FROM replicas WHERE form < $1 AND expires_at > clock_timestamp() ORDER BY form LIMIT 1",
    )
    .bind(step.usable_from)
    .persistent(false)
    .fetch_optional(connection)
    .await?;
    match older {
        Some(row) => {
            Err(Unfit::OldReplica { wanted, replica: row.try_get("name")?, known: row.try_get("form")? })
        }
        None => Ok(()),
    }
}

fn checksum(step: &Step) -> Vec<u8> {
    Sha256::digest(step.sql).to_vec()
}
