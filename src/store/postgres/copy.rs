//! Whole tables, row by row, for who copies a store.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Postgres as Database, QueryBuilder};

use super::column::written;
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::{Postgres, WHOLE};
use crate::store::StoreError;
use crate::store::row::{signed, unsigned};
use crate::store::table::{Cell, Table};

/// Rows that one statement writes: PostgreSQL takes 65,535 values in one, and a row has up to 20.
const ROWS: usize = 500;

/// Who follows the states begins with all that have this or a greater one.
const REVISION: i64 = 1;

impl Postgres {
    /// Rows of a table after the one with a key, in the order of their keys.
    pub(in crate::store) async fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        limit: u32,
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let key = table.key_names();
            let mut sql =
                QueryBuilder::<Database>::new(format!("SELECT {} FROM {}", table.names(), table.name));
            if let Some(after) = after {
                sql.push(format!(" WHERE ({key}) > ("));
                let mut values = sql.separated(", ");
                for cell in after {
                    match cell {
                        Cell::Text(text) => values.push_bind(text.as_deref().map(written)),
                        Cell::Number(number) => values.push_bind(*number),
                    };
                }
                sql.push(")");
            }
            sql.push(format!(" ORDER BY {key} LIMIT {limit}"));
            let rows = sql.build().persistent(false).fetch_all(&mut *session).await?;
            session.end().await?;
            Ok(rows.iter().map(|row| table.row(row)).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many rows a table has.
    pub(in crate::store) async fn count(&self, table: &Table) -> Result<u64, StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
            let count = sqlx::query_scalar(count).persistent(false).fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(unsigned(count))
        })
        .await
    }

    /// Writes rows that are not there yet, all of them or none.
    pub(in crate::store) async fn put_rows(
        &self,
        table: &Table,
        rows: &[Vec<Cell>],
    ) -> Result<(), StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            for rows in rows.chunks(ROWS) {
                put(&mut session, table, rows).await?;
            }
            session.end().await
        })
        .await
    }

    /// Empties a table, and those that refer to it.
    pub(in crate::store) async fn clear(&self, table: &Table) -> Result<(), StoreError> {
        self.change(format!("DELETE FROM {}", table.name)).await
    }

    /// Of what this is to be a copy, if it is one that is not finished.
    pub(in crate::store) async fn copied_from(&self) -> Result<Option<String>, StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let is_there = sqlx::query_scalar("SELECT to_regclass('copying') IS NOT NULL").persistent(false);
            let source = match is_there.fetch_one(&mut *session).await? {
                true => {
                    let source = sqlx::query_scalar("SELECT source FROM copying").persistent(false);
                    source.fetch_optional(&mut *session).await?
                }
                false => None,
            };
            session.end().await?;
            Ok(source)
        })
        .await
    }

    /// Marks this as a copy that is not finished.
    pub(in crate::store) async fn begin_copy(&self, source: &str) -> Result<(), StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            sqlx::raw_sql("CREATE TABLE copying (source text NOT NULL)").execute(&mut *session).await?;
            let name = sqlx::query("INSERT INTO copying (source) VALUES ($1)").bind(written(source));
            name.persistent(false).execute(&mut *session).await?;
            session.end().await
        })
        .await
    }

    /// Has the event log go on after a number.
    pub(in crate::store) async fn set_latest(&self, latest: u64) -> Result<(), StoreError> {
        let (latest, revision) = (signed(latest), REVISION);
        self.change(format!(
            "UPDATE ledger SET sequence = {latest}, revision = GREATEST(revision, {revision})"
        ))
        .await
    }

    /// Takes the mark away.
    pub(in crate::store) async fn finish_copy(&self) -> Result<(), StoreError> {
        self.change("DROP TABLE copying".to_owned()).await
    }

    /// What people call a replica that lives.
    pub(in crate::store) async fn at_work(&self) -> Result<Option<String>, StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let living = "SELECT name FROM replicas WHERE expires_at > clock_timestamp() ORDER BY id LIMIT 1";
            let living = sqlx::query_scalar(living).persistent(false).fetch_optional(&mut *session).await?;
            session.end().await?;
            Ok(living)
        })
        .await
    }

    async fn change(&self, sql: String) -> Result<(), StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *session).await?;
            session.end().await
        })
        .await
    }
}

async fn put(connection: &mut PgConnection, table: &Table, rows: &[Vec<Cell>]) -> Result<(), Failed> {
    // Which write touched a state is not copied: all are as new.
    let has_revision = table.name == "targets";
    let revision = if has_revision { ", revision" } else { "" };
    let mut sql =
        QueryBuilder::<Database>::new(format!("INSERT INTO {} ({}{revision}) ", table.name, table.names()));
    sql.push_values(rows, |mut values, row| {
        for cell in row {
            match cell {
                Cell::Text(text) => values.push_bind(text.as_deref().map(written)),
                Cell::Number(number) => values.push_bind(*number),
            };
        }
        if has_revision {
            values.push_bind(REVISION);
        }
    });
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}
