//! What is read for pictures of the past.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite as Database};

use super::read::one_of;
use super::{Sqlite, unusable};
use crate::model::AccountId;
use crate::store::row::nanoseconds;
use crate::store::{Silence, Step, StoreError, record};

/// The most steps that are read at once: they take some 20 ms, and a picture has no room for more.
const MOST: i64 = 20_000;

/// Steps of some accounts since a time, to be completed.
const STEPS: &str = "SELECT sequence, account, probe, region, resource, from_status, to_status, \
                     previous_since, observed_at, kind FROM events WHERE observed_at >= ";

/// Silences of some accounts that ended since a time, to be completed.
const SILENCES: &str = "SELECT account, probe, region, began, ended FROM silences WHERE +ended >= ";

impl Sqlite {
    /// The latest steps of the resources of some accounts since a time, the oldest first.
    pub(in crate::store) async fn steps(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Step>, StoreError> {
        let mut sql = of_accounts(STEPS, accounts, since);
        sql.push(" ORDER BY observed_at DESC, sequence DESC LIMIT ").push_bind(MOST);
        let rows = sql.build().persistent(false).fetch_all(&self.read).await.map_err(unusable)?;
        record::steps(rows.iter().rev())
    }

    /// The silences of the targets of some accounts that ended at a time or later.
    pub(in crate::store) async fn silences(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Silence>, StoreError> {
        let mut sql = of_accounts(SILENCES, accounts, since);
        sql.push(" LIMIT ").push_bind(MOST);
        let rows = sql.build().persistent(false).fetch_all(&self.read).await.map_err(unusable)?;
        record::silences(&rows)
    }
}

fn of_accounts(
    select: &'static str,
    accounts: &BTreeSet<AccountId>,
    since: Timestamp,
) -> QueryBuilder<Database> {
    let mut sql = QueryBuilder::new(select);
    sql.push_bind(nanoseconds(since));
    one_of(&mut sql, "account", accounts, ToString::to_string);
    sql
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    /// How SQLite goes about a statement.
    async fn plan(select: &'static str) -> String {
        let engine = Sqlite::in_memory().await.unwrap();
        let accounts: BTreeSet<AccountId> =
            ["000000000001", "000000000002"].map(|id| id.parse().unwrap()).into();
        let mut sql = QueryBuilder::<Database>::new("EXPLAIN QUERY PLAN ");
        sql.push(select).push_bind(0_i64);
        one_of(&mut sql, "account", &accounts, ToString::to_string);
        let rows = sql.build().fetch_all(&engine.read).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail") + "\n").collect()
    }

    #[tokio::test]
    async fn only_what_is_asked_for_is_looked_at() {
        let steps = plan(STEPS).await;
        assert!(
            steps.contains("USING INDEX events_by_account_and_time (account=? AND observed_at>?)"),
            "{steps}"
        );
        let silences = plan(SILENCES).await;
        assert!(silences.contains("USING PRIMARY KEY (account=?)"), "{silences}");
    }
}
