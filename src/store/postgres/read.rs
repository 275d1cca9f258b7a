//! What is read: states, entries of the event log, gates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres as Database, QueryBuilder, Row as _};

use super::column::written;
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::{LIMIT, Postgres, WHOLE};
use crate::model::{Entry, Region, Word};
use crate::store::row::{Cells, Fields, nanoseconds, part, signed, unsigned};
use crate::store::{Changes, EventQuery, SavedState, StoreError, TargetKey, record};

/// States that are newer than a revision.
const STATES: &str = "SELECT targets.*, resource, status, text, error_message, since \
                      FROM targets LEFT JOIN resources USING (account, probe, region) WHERE revision > $1 \
                      ORDER BY account, probe, region, position";

/// Targets that have ended since a revision, and did not begin again.
const ENDED: &str = "SELECT account, probe, region FROM ended WHERE revision > $1 AND NOT EXISTS \
                     (SELECT 1 FROM targets WHERE targets.account = ended.account \
                     AND targets.probe = ended.probe AND targets.region = ended.region)";

impl Postgres {
    /// The states that are kept, by target.
    pub(in crate::store) async fn states(&self) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
        Ok(self.states_since(None).await?.states)
    }

    /// What has become of the states since a revision.
    pub(in crate::store) async fn states_since(&self, since: Option<u64>) -> Result<Changes, StoreError> {
        within(WHOLE, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let ledger = sqlx::query("SELECT revision, forgotten FROM ledger")
                .persistent(false)
                .fetch_one(&mut *session)
                .await?;
            let revision = unsigned(ledger.try_get("revision")?);
            let forgotten = unsigned(ledger.try_get("forgotten")?);
            // One that is greater than all is of another database, which has taken the place of this one.
            let since = since.filter(|since| (forgotten..=revision).contains(since));
            let mut changes = Changes { revision, is_whole: since.is_none(), ..Changes::default() };
            if since != Some(revision) {
                let after = since.map_or(-1, signed);
                changes.states = record::states(&newer(&mut session, STATES, after).await?)?;
                if since.is_some() {
                    let ended = newer(&mut session, ENDED, after).await?;
                    let key = |row: &PgRow| Fields::new(row, ended_name).target();
                    changes.ended = ended.iter().map(key).collect::<Result<_, _>>()?;
                }
            }
            session.end().await?;
            Ok(changes)
        })
        .await
    }

    /// Until when nothing may be sent in quota scopes, where that is still to come.
    pub(in crate::store) async fn gates(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let open =
                newer(&mut session, "SELECT scope, until FROM gates WHERE until > $1", nanoseconds(now));
            let gates = record::gates(&open.await?)?;
            session.end().await?;
            Ok(gates)
        })
        .await
    }

    /// The number of the latest entry that there ever was; 0 before the first.
    pub(in crate::store) async fn latest(&self) -> Result<u64, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let latest = sqlx::query_scalar("SELECT sequence FROM ledger").persistent(false);
            let latest = latest.fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(unsigned(latest))
        })
        .await
    }

    /// Entries of the event log.
    pub(in crate::store) async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let mut after = signed(query.after);
            if let Some(since) = query.since {
                match first_since(&mut session, since).await? {
                    Some(first) => after = after.max(first - 1),
                    // Nothing comes after all numbers.
                    None => after = i64::MAX,
                }
            }
            let rows = wanted(query, after).build().persistent(false).fetch_all(&mut *session).await?;
            session.end().await?;
            Ok(record::entries(&rows)?)
        })
        .await
    }
}

/// What a statement finds beyond a number.
async fn newer(
    connection: &mut PgConnection,
    sql: &'static str,
    than: i64,
) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(sql).bind(than).persistent(false).fetch_all(connection).await
}

/// The first entry of the log that was observed at a time or later: where to begin to read.
async fn first_since(connection: &mut PgConnection, time: Timestamp) -> Result<Option<i64>, Failed> {
    // The least of the bare numbers would be searched for from the beginning of the log.
    let first = sqlx::query_scalar("SELECT MIN(sequence + 0) FROM events WHERE observed_at >= $1");
    Ok(first.bind(nanoseconds(time)).persistent(false).fetch_one(connection).await?)
}

fn wanted(query: &EventQuery, after: i64) -> QueryBuilder<Database> {
    let mut sql = QueryBuilder::new("SELECT * FROM events WHERE sequence > ");
    sql.push_bind(after);
    if let Some(before) = query.before {
        sql.push(" AND sequence < ").push_bind(signed(before));
    }
    if let Some(since) = query.since {
        // Not by the index of times: all that is younger would be sorted for the sake of the first few.
        sql.push(" AND observed_at + 0 >= ").push_bind(nanoseconds(since));
    }
    one_of(&mut sql, "account", &query.accounts, ToString::to_string);
    one_of(&mut sql, "probe", &query.probes, word);
    one_of(&mut sql, "region", &query.regions, Region::to_string);
    one_of(&mut sql, "resource", &query.resources, word);
    one_of(&mut sql, "kind", &query.kinds, word);
    one_of(&mut sql, "to_status", &query.to, word);
    if let Some(sink) = &query.parked_by {
        sql.push(" AND sequence IN (SELECT sequence FROM parked WHERE sink = ");
        sql.push_bind(written(sink).into_owned()).push(")");
    }
    sql.push(if query.newest_first { " ORDER BY sequence DESC" } else { " ORDER BY sequence" });
    sql.push(" LIMIT ").push_bind(i64::from(query.limit));
    sql
}

/// Adds a condition, unless the set is empty, which wants all.
pub(super) fn one_of<T>(
    sql: &mut QueryBuilder<Database>,
    column: &'static str,
    wanted: &BTreeSet<T>,
    text: impl Fn(&T) -> String,
) {
    if !wanted.is_empty() {
        let list: Vec<_> = wanted.iter().map(|one| written(&text(one)).into_owned()).collect();
        sql.push(" AND ").push(column).push(" = ANY(").push_bind(list).push(")");
    }
}

fn word<T: Word>(one: &T) -> String {
    one.word().to_owned()
}

fn ended_name(row: &dyn Cells) -> String {
    format!("the end of {}/{}/{}", part(row, "account"), part(row, "probe"), part(row, "region"))
}
