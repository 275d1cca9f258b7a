//! What is dropped from the event log, a batch at a time.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite as Database};

use super::{Sqlite, unusable};
use crate::store::StoreError;
use crate::store::house::Dropped;
use crate::store::row::{nanoseconds, signed, unsigned};

/// Entries that one transaction drops: it takes some 10 ms, and then others may write.
const BATCH: u64 = 1000;

impl Sqlite {
    /// Drops entries from before a time that all of these sinks are done with.
    pub(in crate::store) async fn drop_old(
        &self,
        before: Timestamp,
        sinks: &[String],
    ) -> Result<Dropped, StoreError> {
        // Mostly there is nothing to do, and no need to keep others from writing.
        let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(observed_at) FROM events")
            .fetch_one(&self.read)
            .await
            .map_err(unusable)?;
        if oldest.is_none_or(|oldest| oldest >= nanoseconds(before)) {
            return Ok(Dropped::default());
        }
        let mut transaction = self.begin().await?;
        let done = done_by_all(&mut transaction, sinks).await.map_err(unusable)?;
        let dropped = sqlx::query(
            "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events \
             WHERE observed_at < ? AND sequence <= ? ORDER BY observed_at LIMIT ?)",
        )
        .bind(nanoseconds(before))
        .bind(done)
        .bind(signed(BATCH))
        .execute(&mut *transaction)
        .await
        .map_err(unusable)?;
        transaction.commit().await.map_err(unusable)?;
        let entries = dropped.rows_affected();
        Ok(Dropped { entries, undelivered: 0, is_more: entries == BATCH })
    }

    /// Drops silences that ended, and gates that opened, before a time.
    pub(in crate::store) async fn drop_old_marks(&self, before: Timestamp) -> Result<(), StoreError> {
        let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(ended) FROM silences")
            .fetch_one(&self.read)
            .await
            .map_err(unusable)?;
        if oldest.is_some_and(|oldest| oldest < nanoseconds(before)) {
            let old = sqlx::query("DELETE FROM silences WHERE ended < ?").bind(nanoseconds(before));
            old.execute(&self.write).await.map_err(unusable)?;
        }
        let old = sqlx::query("DELETE FROM gates WHERE until < ?").bind(nanoseconds(before));
        old.execute(&self.write).await.map_err(unusable)?;
        Ok(())
    }

    /// How many entries there are beyond a number.
    pub(in crate::store) async fn excess(&self, most: u64) -> Result<u64, StoreError> {
        // Numbers are hardly ever left out, so this is near the count, never below it, and costs nothing.
        let span: Option<i64> = sqlx::query_scalar(
            "SELECT (SELECT MAX(sequence) FROM events) - (SELECT MIN(sequence) FROM events) + 1",
        )
        .fetch_one(&self.read)
        .await
        .map_err(unusable)?;
        if span.is_none_or(|span| unsigned(span) <= most) {
            return Ok(0);
        }
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM events").fetch_one(&self.read).await;
        count.map(|count| unsigned(count).saturating_sub(most)).map_err(unusable)
    }

    /// Drops the oldest entries, at most so many.
    pub(in crate::store) async fn drop_oldest(
        &self,
        most: u64,
        sinks: &[String],
    ) -> Result<Dropped, StoreError> {
        let mut transaction = self.begin().await?;
        let done = done_by_all(&mut transaction, sinks).await.map_err(unusable)?;
        let oldest: Vec<i64> = sqlx::query_scalar("SELECT sequence FROM events ORDER BY sequence LIMIT ?")
            .bind(signed(most.min(BATCH)))
            .fetch_all(&mut *transaction)
            .await
            .map_err(unusable)?;
        let last = oldest.last().copied().unwrap_or_default();
        sqlx::query("DELETE FROM events WHERE sequence <= ?")
            .bind(last)
            .execute(&mut *transaction)
            .await
            .map_err(unusable)?;
        transaction.commit().await.map_err(unusable)?;
        let entries = oldest.len() as u64;
        let undelivered = oldest.iter().filter(|&&sequence| sequence > done).count() as u64;
        Ok(Dropped { entries, undelivered, is_more: entries > 0 && entries < most })
    }
}

/// The last entry that all of these sinks are done with; without sinks, beyond the end of the log.
async fn done_by_all(connection: &mut SqliteConnection, sinks: &[String]) -> Result<i64, sqlx::Error> {
    let mut sql = QueryBuilder::<Database>::new("SELECT MIN(cursor) FROM sinks WHERE name IN (");
    let mut names = sql.separated(", ");
    for sink in sinks {
        names.push_bind(sink.as_str());
    }
    sql.push(")");
    let slowest: Option<i64> = sql.build_query_scalar().persistent(false).fetch_one(connection).await?;
    Ok(slowest.unwrap_or(i64::MAX))
}
