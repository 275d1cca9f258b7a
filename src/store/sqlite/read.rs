//! What is read: states, and entries of the event log.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite as Database};

use super::{Sqlite, unusable};
use crate::model::{Entry, Region, Word};
use crate::store::row::{nanoseconds, signed, unsigned};
use crate::store::{EventQuery, SavedState, StoreError, TargetKey, record};

impl Sqlite {
    /// The states that are kept, by target.
    pub(in crate::store) async fn states(&self) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
        let rows = sqlx::query(
            "SELECT targets.*, resource, status, text, error_message, since \
             FROM targets LEFT JOIN resources USING (account, probe, region) \
             ORDER BY account, probe, region, position",
        )
        .fetch_all(&self.read)
        .await
        .map_err(unusable)?;
        record::states(&rows)
    }

    /// The number of the latest entry that there ever was; 0 before the first.
    pub(in crate::store) async fn latest(&self) -> Result<u64, StoreError> {
        let latest = sqlx::query_scalar(LATEST).fetch_one(&self.read).await;
        latest.map(unsigned).map_err(unusable)
    }

    /// Entries of the event log.
    pub(in crate::store) async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, StoreError> {
        let mut after = signed(query.after);
        if let Some(since) = query.since {
            let Some(first) = self.first_since(since).await? else { return Ok(Vec::new()) };
            after = after.max(first - 1);
        }
        let mut sql = QueryBuilder::<Database>::new("SELECT * FROM events WHERE sequence > ");
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
            sql.push_bind(sink.as_str()).push(")");
        }
        sql.push(if query.newest_first { " ORDER BY sequence DESC" } else { " ORDER BY sequence" });
        sql.push(" LIMIT ").push_bind(i64::from(query.limit));
        let rows = sql.build().persistent(false).fetch_all(&self.read).await.map_err(unusable)?;
        record::entries(&rows)
    }

    /// Until when nothing may be sent in quota scopes, where that is still to come.
    pub(in crate::store) async fn gates(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let open = sqlx::query("SELECT scope, until FROM gates WHERE until > ?").bind(nanoseconds(now));
        record::gates(&open.fetch_all(&self.read).await.map_err(unusable)?)
    }

    /// The first entry of the log that was observed at a time or later: where to begin to read.
    async fn first_since(&self, time: Timestamp) -> Result<Option<i64>, StoreError> {
        // The least of the bare numbers would be searched for from the beginning of the log.
        sqlx::query_scalar("SELECT MIN(sequence + 0) FROM events WHERE observed_at >= ?")
            .bind(nanoseconds(time))
            .fetch_one(&self.read)
            .await
            .map_err(unusable)
    }
}

/// The number of the latest entry that there ever was, which pruning does not take back.
pub(super) const LATEST: &str = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'events'";

/// Adds a condition, unless the set is empty, which wants all.
pub(super) fn one_of<T>(
    sql: &mut QueryBuilder<Database>,
    column: &'static str,
    wanted: &BTreeSet<T>,
    text: impl Fn(&T) -> String,
) {
    if wanted.is_empty() {
        return;
    }
    sql.push(" AND ").push(column).push(" IN (");
    let mut list = sql.separated(", ");
    for one in wanted {
        list.push_bind(text(one));
    }
    sql.push(")");
}

fn word<T: Word>(one: &T) -> String {
    one.word().to_owned()
}
