//! Whole tables, row by row, for who copies a store.

use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite as Database};

use super::{Sqlite, unusable};
use crate::store::StoreError;
use crate::store::row::{signed, unsigned};
use crate::store::table::{Cell, Table};

/// Rows that one statement writes: SQLite takes 32,766 values in one, and a row has up to 19.
const ROWS: usize = 500;

impl Sqlite {
    /// Rows of a table after the one with a key, in the order of their keys.
    pub(in crate::store) async fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        limit: u32,
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        let key = table.key_names();
        let mut sql = QueryBuilder::<Database>::new(format!("SELECT {} FROM {}", table.names(), table.name));
        if let Some(after) = after {
            sql.push(format!(" WHERE ({key}) > ("));
            let mut values = sql.separated(", ");
            for cell in after {
                match cell {
                    Cell::Text(text) => values.push_bind(text.clone()),
                    Cell::Number(number) => values.push_bind(*number),
                };
            }
            sql.push(")");
        }
        sql.push(format!(" ORDER BY {key} LIMIT {limit}"));
        let rows = sql.build().persistent(false).fetch_all(&self.read).await.map_err(unusable)?;
        rows.iter().map(|row| table.row(row)).collect()
    }

    /// How many rows a table has.
    pub(in crate::store) async fn count(&self, table: &Table) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name)));
        count.fetch_one(&self.read).await.map(unsigned).map_err(unusable)
    }

    /// Writes rows that are not there yet, all of them or none.
    pub(in crate::store) async fn put_rows(
        &self,
        table: &Table,
        rows: &[Vec<Cell>],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for rows in rows.chunks(ROWS) {
            let mut sql =
                QueryBuilder::<Database>::new(format!("INSERT INTO {} ({}) ", table.name, table.names()));
            sql.push_values(rows, |mut values, row| {
                for cell in row {
                    match cell {
                        Cell::Text(text) => values.push_bind(text.as_deref()),
                        Cell::Number(number) => values.push_bind(*number),
                    };
                }
            });
            sql.build().persistent(false).execute(&mut *transaction).await.map_err(unusable)?;
        }
        transaction.commit().await.map_err(unusable)
    }

    /// Empties a table, and those that refer to it.
    pub(in crate::store) async fn clear(&self, table: &Table) -> Result<(), StoreError> {
        self.change(format!("DELETE FROM {}", table.name)).await
    }

    /// Of what this is to be a copy, if it is one that is not finished.
    pub(in crate::store) async fn copied_from(&self) -> Result<Option<String>, StoreError> {
        let is_there =
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'copying')";
        if !sqlx::query_scalar(is_there).fetch_one(&self.read).await.map_err(unusable)? {
            return Ok(None);
        }
        sqlx::query_scalar("SELECT source FROM copying").fetch_optional(&self.read).await.map_err(unusable)
    }

    /// Marks this as a copy that is not finished.
    pub(in crate::store) async fn begin_copy(&self, source: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let mark = sqlx::query("CREATE TABLE copying (source TEXT NOT NULL) STRICT");
        mark.execute(&mut *transaction).await.map_err(unusable)?;
        let name = sqlx::query("INSERT INTO copying (source) VALUES (?)").bind(source);
        name.execute(&mut *transaction).await.map_err(unusable)?;
        transaction.commit().await.map_err(unusable)
    }

    /// Has the event log go on after a number.
    pub(in crate::store) async fn set_latest(&self, latest: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let forget = sqlx::query("DELETE FROM sqlite_sequence WHERE name = 'events'");
        forget.execute(&mut *transaction).await.map_err(unusable)?;
        let set = sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)");
        set.bind(signed(latest)).execute(&mut *transaction).await.map_err(unusable)?;
        transaction.commit().await.map_err(unusable)
    }

    /// Takes the mark away.
    pub(in crate::store) async fn finish_copy(&self) -> Result<(), StoreError> {
        self.change("DROP TABLE copying".to_owned()).await
    }

    async fn change(&self, sql: String) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(unusable)?;
        transaction.commit().await.map_err(unusable)
    }
}
