//! What is read for pictures of the past.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Postgres as Database, QueryBuilder};

use super::pool::Mode;
use super::read::one_of;
use super::trouble::within;
use super::{LIMIT, Postgres};
use crate::model::AccountId;
use crate::store::row::nanoseconds;
use crate::store::{Silence, Step, StoreError, record};

/// The most steps that are read at once: a picture has no room for more.
const MOST: i64 = 20_000;

impl Postgres {
    /// The latest steps of the resources of some accounts since a time, the oldest first.
    pub(in crate::store) async fn steps(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Step>, StoreError> {
        let steps = "SELECT sequence, account, probe, region, resource, from_status, to_status, previous_since, \
                     observed_at, kind FROM events WHERE observed_at >= ";
        let rows =
            self.of_accounts(steps, accounts, since, " ORDER BY observed_at DESC, sequence DESC").await?;
        record::steps(rows.iter().rev())
    }

    /// The silences of the targets of some accounts that ended at a time or later.
    pub(in crate::store) async fn silences(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Silence>, StoreError> {
        let silences = "SELECT account, probe, region, began, ended FROM silences WHERE ended >= ";
        record::silences(&self.of_accounts(silences, accounts, since, "").await?)
    }

    async fn of_accounts(
        &self,
        select: &'static str,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
        order: &'static str,
    ) -> Result<Vec<PgRow>, StoreError> {
        within(LIMIT, async {
            let mut sql = QueryBuilder::<Database>::new(select);
            sql.push_bind(nanoseconds(since));
            one_of(&mut sql, "account", accounts, ToString::to_string);
            sql.push(order).push(" LIMIT ").push_bind(MOST);
            let mut session = self.pool.begin(Mode::Read).await?;
            let rows = sql.build().persistent(false).fetch_all(&mut *session).await?;
            session.end().await?;
            Ok(rows)
        })
        .await
    }
}
