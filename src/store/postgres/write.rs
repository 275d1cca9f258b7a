//! What is written: batches of the tracker, and how far the sinks have come.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::claim::{hold, stale};
use super::column::{texts, values, written};
use super::content::Content;
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::writer::Writer;
use super::{LIMIT, Postgres};
use crate::model::Claim;
use crate::store::row::{signed, unsigned};
use crate::store::{Batch, Committed, StoreError};

/// What each row may take besides: some ten times what it does. What has gathered while the database was
/// away would otherwise never be written.
const ROW: Duration = Duration::from_millis(1);

/// Raises the revision, and keeps all other writers out until the transaction ends.
const LOCK: &str = "UPDATE ledger SET revision = revision + 1 RETURNING sequence, revision";

impl Postgres {
    /// Writes those batches whose claims hold, and tells which do not, and the number of the latest entry
    /// then.
    pub(in crate::store) async fn commit(&self, batches: &[Batch]) -> Result<(Committed, u64), StoreError> {
        let rows = batches.iter().map(Batch::rows).sum();
        within(LIMIT + ROW.saturating_mul(rows), async {
            let mut session = self.pool.begin(Mode::Write).await?;
            let claims = batches.iter().filter_map(|batch| batch.claim.as_ref()).collect();
            let fenced = stale(&mut session, claims).await?;
            let is_fenced = |batch: &&Batch| batch.claim.as_ref().is_some_and(|claim| fenced.contains(claim));
            let written: Vec<_> = batches.iter().filter(|batch| !is_fenced(batch)).collect();
            let ledger = sqlx::query(LOCK).persistent(false).fetch_one(&mut *session).await?;
            let mut writer = Writer {
                connection: &mut session,
                sequence: ledger.try_get("sequence")?,
                revision: ledger.try_get("revision")?,
            };
            writer.write(&Content::of(&written)).await?;
            let latest = unsigned(writer.sequence);
            session.end().await?;
            Ok((Committed { fenced }, latest))
        })
        .await
    }

    /// How far a sink has come; one that was never heard of begins after the latest entry.
    pub(in crate::store) async fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            let known = "SELECT cursor FROM sinks WHERE name = $1";
            let known = async |connection: &mut PgConnection| {
                let known = sqlx::query_scalar::<_, i64>(known).bind(written(sink)).persistent(false);
                known.fetch_optional(connection).await
            };
            let cursor = match known(&mut session).await? {
                Some(cursor) => cursor,
                None => {
                    let ledger = sqlx::query(LOCK).persistent(false).fetch_one(&mut *session).await?;
                    set_cursor(&mut session, sink, ledger.try_get("sequence")?).await?;
                    known(&mut session).await?.unwrap_or_default()
                }
            };
            session.end().await?;
            Ok(unsigned(cursor))
        })
        .await
    }

    /// Notes how far a sink has come, and what it gave up on.
    pub(in crate::store) async fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            sqlx::query(LOCK).persistent(false).execute(&mut *session).await?;
            set_cursor(&mut session, sink, signed(cursor)).await?;
            if !parked.is_empty() {
                // An entry that has been pruned meanwhile is not there to be parked.
                sqlx::query(
                    "INSERT INTO parked (sink, sequence, reason) \
                     SELECT $1, sequence, reason FROM events \
                     JOIN UNNEST($2::bigint[], $3::text[]) AS given_up (sequence, reason) USING (sequence) \
                     ON CONFLICT DO NOTHING",
                )
                .bind(written(sink))
                .bind(values(parked, |(sequence, _)| signed(*sequence)))
                .bind(texts(parked, |(_, reason)| reason))
                .persistent(false)
                .execute(&mut *session)
                .await?;
            }
            session.end().await
        })
        .await
    }
}

/// Moves a cursor, forwards only.
async fn set_cursor(connection: &mut PgConnection, sink: &str, cursor: i64) -> Result<(), Failed> {
    sqlx::query(
        "INSERT INTO sinks (name, cursor) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor WHERE sinks.cursor < excluded.cursor",
    )
    .bind(written(sink))
    .bind(cursor)
    .persistent(false)
    .execute(connection)
    .await?;
    Ok(())
}
