//! The engines, behind the same calls: what is above `store` knows neither. What of these fails is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::house::Dropped;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::table::{Cell, Table};
use super::{
    Batch, Changes, Committed, EventQuery, LeaseState, Leases, LiveReplica, Replica, Roll, SavedRoster,
    SavedState, Silence, Step, Store, StoreError, TargetKey, Trouble, Troubles,
};
use crate::model::{AccountId, Claim, Entry, Epoch, Lease, ReplicaId, Roster};

/// An engine at work, and how often it has failed. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) kind: Kind,
    pub(super) troubles: Troubles,
}

/// Which engine.
///
/// SQLite is one process's own, so a claim means nothing to it: whoever has the store holds everything.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl From<Kind> for Engine {
    fn from(kind: Kind) -> Self {
        Self { kind, troubles: Troubles::default() }
    }
}

/// The same call of either engine, or what each does instead. What fails is counted, unless the call leaves
/// early with a `?`.
macro_rules! either {
    ($engine:expr, $one:ident => $call:expr) => {
        either!($engine, $one => $call, $one => $call)
    };
    ($engine:expr, $sqlite:pat => $alone:expr, $postgres:ident => $shared:expr) => {
        $engine.troubles.noted(match &$engine.kind {
            Kind::Sqlite($sqlite) => $alone,
            Kind::Postgres($postgres) => $shared,
        })
    };
}

impl Engine {
    /// Whether others may write to it as well.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    pub(super) async fn close(&self) {
        match &self.kind {
            Kind::Sqlite(engine) => engine.close().await,
            Kind::Postgres(engine) => engine.close().await,
        }
    }

    pub(super) async fn states(&self) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
        either!(self, engine => engine.states().await)
    }

    pub(super) async fn states_since(&self, revision: Option<u64>) -> Result<Changes, StoreError> {
        let all = |states| Changes { is_whole: true, states, ..Changes::default() };
        either!(
            self,
            engine => engine.states().await.map(all),
            engine => engine.states_since(revision).await
        )
    }

    pub(super) async fn gates(&self, now: Timestamp) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        either!(self, engine => engine.gates(now).await)
    }

    pub(super) async fn latest(&self) -> Result<u64, StoreError> {
        either!(self, engine => engine.latest().await)
    }

    pub(super) async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, StoreError> {
        either!(self, engine => engine.events(query).await)
    }

    pub(super) async fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        either!(self, engine => engine.cursor(sink).await)
    }

    pub(super) async fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        either!(
            self,
            engine => engine.advance(sink, cursor, parked).await,
            engine => engine.advance(sink, cursor, parked, claim).await
        )
    }

    /// What was left out, and the number of the latest entry then.
    pub(super) async fn commit(&self, batches: &[Batch]) -> Result<(Committed, u64), StoreError> {
        let (committed, latest) = either!(
            self,
            engine => engine.commit(batches).await.map(|latest| (Committed::default(), latest)),
            engine => engine.commit(batches).await
        )?;
        let is_fenced =
            |batch: &&Batch| batch.claim.as_ref().is_some_and(|claim| committed.fenced.contains(claim));
        self.troubles.add(Trouble::Fenced, batches.iter().filter(is_fenced).count() as u64);
        Ok((committed, latest))
    }

    pub(super) async fn steps(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Step>, StoreError> {
        either!(self, engine => engine.steps(accounts, since).await)
    }

    pub(super) async fn silences(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<Vec<Silence>, StoreError> {
        either!(self, engine => engine.silences(accounts, since).await)
    }

    pub(super) async fn rosters(&self) -> Result<BTreeMap<Arc<str>, SavedRoster>, StoreError> {
        either!(self, engine => engine.rosters().await)
    }

    pub(super) async fn save_roster(
        &self,
        organization: &str,
        listed_at: Timestamp,
        roster: &Roster,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        either!(
            self,
            engine => engine.save_roster(organization, listed_at, roster).await,
            engine => engine.save_roster(organization, listed_at, roster, claim).await
        )
    }

    pub(super) async fn note_listing(
        &self,
        organization: &str,
        listed_at: Timestamp,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        either!(
            self,
            engine => engine.note_listing(organization, listed_at).await,
            engine => engine.note_listing(organization, listed_at, claim).await
        )
    }

    pub(super) async fn drop_old(
        &self,
        before: Timestamp,
        sinks: &[String],
        claim: Option<&Claim>,
    ) -> Result<Dropped, StoreError> {
        either!(
            self,
            engine => engine.drop_old(before, sinks).await,
            engine => engine.drop_old(before, sinks, claim).await
        )
    }

    pub(super) async fn drop_old_marks(
        &self,
        before: Timestamp,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        either!(
            self,
            engine => engine.drop_old_marks(before).await,
            engine => engine.drop_old_marks(before, claim).await
        )
    }

    pub(super) async fn excess(&self, most: u64) -> Result<u64, StoreError> {
        either!(self, engine => engine.excess(most).await)
    }

    pub(super) async fn drop_oldest(
        &self,
        most: u64,
        sinks: &[String],
        claim: Option<&Claim>,
    ) -> Result<Dropped, StoreError> {
        either!(
            self,
            engine => engine.drop_oldest(most, sinks).await,
            engine => engine.drop_oldest(most, sinks, claim).await
        )
    }
}

/// What a copy does with either side.
impl Engine {
    pub(super) async fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        limit: u32,
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        either!(self, engine => engine.rows(table, after, limit).await)
    }

    pub(super) async fn count(&self, table: &Table) -> Result<u64, StoreError> {
        either!(self, engine => engine.count(table).await)
    }

    pub(super) async fn put_rows(&self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
        either!(self, engine => engine.put_rows(table, rows).await)
    }

    pub(super) async fn clear(&self, table: &Table) -> Result<(), StoreError> {
        either!(self, engine => engine.clear(table).await)
    }

    /// Of what the store is to be a copy, if it is one that is not finished.
    pub(super) async fn copied_from(&self) -> Result<Option<String>, StoreError> {
        either!(self, engine => engine.copied_from().await)
    }

    pub(super) async fn begin_copy(&self, source: &str) -> Result<(), StoreError> {
        either!(self, engine => engine.begin_copy(source).await)
    }

    pub(super) async fn set_latest(&self, latest: u64) -> Result<(), StoreError> {
        either!(self, engine => engine.set_latest(latest).await)
    }

    pub(super) async fn finish_copy(&self) -> Result<(), StoreError> {
        either!(self, engine => engine.finish_copy().await)
    }

    /// What people call a replica that lives; whoever uses a file has its lock instead.
    pub(super) async fn at_work(&self) -> Result<Option<String>, StoreError> {
        either!(
            self,
            _ => Ok(None),
            engine => engine.at_work().await
        )
    }
}

/// The epoch of whoever has a store that nobody shares.
const ALONE: Epoch = Epoch(1);

impl Leases for Store {
    /// Of a store that nobody shares: all that is known is held.
    async fn renew(
        &self,
        me: &Replica,
        known: &[Lease],
        held: &[Claim],
        duration: Duration,
    ) -> Result<Roll, StoreError> {
        let mine = |lease: &Lease| LeaseState { lease: lease.clone(), epoch: ALONE, holder: Some(me.id) };
        let alone = || Roll {
            replicas: vec![LiveReplica { id: me.id, name: Arc::clone(&me.name) }],
            leases: known.iter().map(mine).collect(),
            next_end: None,
        };
        either!(
            self.engine,
            _ => Ok(alone()),
            engine => engine.renew(me, known, held, duration).await
        )
    }

    async fn take(
        &self,
        me: &ReplicaId,
        wanted: &[Lease],
        duration: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let mine = |lease: &Lease| Claim { lease: lease.clone(), epoch: ALONE };
        either!(
            self.engine,
            _ => Ok(wanted.iter().map(mine).collect()),
            engine => engine.take(me, wanted, duration).await
        )
    }

    async fn release(&self, me: &ReplicaId, claims: &[Claim]) -> Result<(), StoreError> {
        either!(
            self.engine,
            _ => Ok(()),
            engine => engine.release(me, claims).await
        )
    }

    async fn leave(&self, me: &ReplicaId) -> Result<(), StoreError> {
        either!(
            self.engine,
            _ => Ok(()),
            engine => engine.leave(me).await
        )
    }

    fn unanswered(&self) {
        self.engine.troubles.add(Trouble::Timeout, 1);
    }
}
