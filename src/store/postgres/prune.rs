//! What is dropped from the event log, a batch at a time.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::claim::hold;
use super::column::texts;
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::{LIMIT, Postgres};
use crate::model::Claim;
use crate::store::StoreError;
use crate::store::house::Dropped;
use crate::store::row::{nanoseconds, signed, unsigned};

/// Entries that one transaction drops: it takes some 10 ms, and then others may write.
const BATCH: u64 = 1000;

/// What follows others looks every few seconds; whoever was away for longer reads everything.
const FORGET_ENDED: &str = "WITH old AS (DELETE FROM ended WHERE noted_at < clock_timestamp() - interval '1 day' \
                            RETURNING revision) \
                            UPDATE ledger SET forgotten = GREATEST(forgotten, (SELECT MAX(revision) FROM old))";

/// What has signed out is gone already; these have not.
const FORGET_REPLICAS: &str = "DELETE FROM replicas WHERE expires_at < clock_timestamp() - interval '1 hour'";

impl Postgres {
    /// Drops entries from before a time that all of these sinks are done with.
    pub(in crate::store) async fn drop_old(
        &self,
        before: Timestamp,
        sinks: &[String],
        claim: Option<&Claim>,
    ) -> Result<Dropped, StoreError> {
        within(LIMIT, async {
            // Mostly there is nothing to do, and no need to keep others from writing.
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(observed_at) FROM events")
                .persistent(false)
                .fetch_one(&mut *session)
                .await?;
            if oldest.is_none_or(|oldest| oldest >= nanoseconds(before)) {
                session.end().await?;
                return Ok(Dropped::default());
            }
            lock(&mut session).await?;
            let done = done_by_all(&mut session, sinks).await?;
            let dropped = sqlx::query(
                "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events \
                 WHERE observed_at < $1 AND sequence <= $2 ORDER BY observed_at LIMIT $3)",
            )
            .bind(nanoseconds(before))
            .bind(done)
            .bind(signed(BATCH))
            .persistent(false)
            .execute(&mut *session)
            .await?;
            session.end().await?;
            let entries = dropped.rows_affected();
            Ok(Dropped { entries, undelivered: 0, is_more: entries == BATCH })
        })
        .await
    }

    /// Drops silences that ended, and gates that opened, before a time; and what is only kept for a while.
    pub(in crate::store) async fn drop_old_marks(
        &self,
        before: Timestamp,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            lock(&mut session).await?;
            for sql in ["DELETE FROM silences WHERE ended < $1", "DELETE FROM gates WHERE until < $1"] {
                let old = sqlx::query(sql).bind(nanoseconds(before)).persistent(false);
                old.execute(&mut *session).await?;
            }
            for sql in [FORGET_ENDED, FORGET_REPLICAS] {
                sqlx::query(sql).persistent(false).execute(&mut *session).await?;
            }
            session.end().await
        })
        .await
    }

    /// How many entries there are beyond a number.
    pub(in crate::store) async fn excess(&self, most: u64) -> Result<u64, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            // Numbers are hardly ever left out, so this is near the count, never below it, and costs nothing.
            let span = "SELECT (SELECT MAX(sequence) FROM events) - (SELECT MIN(sequence) FROM events) + 1";
            let span: Option<i64> =
                sqlx::query_scalar(span).persistent(false).fetch_one(&mut *session).await?;
            let excess = if span.is_none_or(|span| unsigned(span) <= most) {
                0
            } else {
                let count = sqlx::query_scalar("SELECT COUNT(*) FROM events").persistent(false);
                unsigned(count.fetch_one(&mut *session).await?).saturating_sub(most)
            };
            session.end().await?;
            Ok(excess)
        })
        .await
    }

    /// Drops the oldest entries, at most so many.
    pub(in crate::store) async fn drop_oldest(
        &self,
        most: u64,
        sinks: &[String],
        claim: Option<&Claim>,
    ) -> Result<Dropped, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            lock(&mut session).await?;
            let done = done_by_all(&mut session, sinks).await?;
            let oldest: Vec<i64> =
                sqlx::query_scalar("SELECT sequence FROM events ORDER BY sequence LIMIT $1")
                    .bind(signed(most.min(BATCH)))
                    .persistent(false)
                    .fetch_all(&mut *session)
                    .await?;
            let drop = sqlx::query("DELETE FROM events WHERE sequence <= $1");
            drop.bind(oldest.last()).persistent(false).execute(&mut *session).await?;
            session.end().await?;
            let entries = oldest.len() as u64;
            let undelivered = oldest.iter().filter(|&&sequence| sequence > done).count() as u64;
            Ok(Dropped { entries, undelivered, is_more: entries > 0 && entries < most })
        })
        .await
    }
}

/// Keeps all other writers out until the transaction ends.
async fn lock(connection: &mut PgConnection) -> Result<(), Failed> {
    let lock = sqlx::query("SELECT 1 FROM ledger FOR NO KEY UPDATE").persistent(false);
    lock.execute(connection).await?;
    Ok(())
}

/// The last entry that all of these sinks are done with; without sinks, beyond the end of the log.
async fn done_by_all(connection: &mut PgConnection, sinks: &[String]) -> Result<i64, Failed> {
    let slowest = sqlx::query_scalar("SELECT MIN(cursor) FROM sinks WHERE name = ANY($1)");
    let slowest: Option<i64> =
        slowest.bind(texts(sinks, |sink| sink)).persistent(false).fetch_one(connection).await?;
    Ok(slowest.unwrap_or(i64::MAX))
}
