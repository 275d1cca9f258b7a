//! What outlives the process: the last known states, the event log, and how far each sink has come.
//!
//! SQLite embedded, in a file or, where none is configured, in memory; or a database of PostgreSQL, which
//! several replicas share. Whoever uses it knows neither.
//!
//! `sqlite` and `postgres` are the engines and all that knows SQL, `engine` is either, and `row` and `record`
//! are what both read; `lock` keeps a second daemon from the file; `house` keeps the event log within its
//! bounds; `ledger` is what the tracker writes, `history` what became of targets over time, `members` who
//! belongs to each organization, `leases` who of the replicas may do what, and `follow` how one hears of what
//! others write; `troubles` counts what fails, and `contact` says whether a replica is in touch. `copy` moves
//! a store to another place, `table` by `table`.

mod contact;
mod copy;
mod engine;
mod error;
mod follow;
mod history;
mod house;
mod leases;
mod ledger;
mod lock;
mod members;
mod postgres;
mod query;
mod record;
mod row;
mod sqlite;
mod table;
mod troubles;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

pub use self::contact::{Contact, OutOfTouch, Touch};
pub use self::copy::{Compared, Content, Copied, CopyError, Doing, Progress, copy};
pub use self::error::{OpenError, StoreError, Trouble};
pub use self::follow::Changes;
pub use self::history::{History, Silence, Step};
pub use self::leases::{LeaseState, Leases, LiveReplica, Replica, Roll};
pub use self::ledger::{Batch, Committed, Ledger};
pub use self::members::SavedRoster;
pub use self::postgres::{Refusal, Step as SchemaStep};
pub use self::query::EventQuery;
pub use self::troubles::Troubles;

use self::engine::{Engine, Kind};
use self::lock::Lock;
use self::postgres::Postgres;
use self::sqlite::Sqlite;
use crate::config;
use crate::model::{AccountId, Claim, Details, Entry, Phase, Probe, Region, ResourceState, Target};

/// What names a target across restarts and configurations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// The account asked about.
    pub account: AccountId,
    /// The call that asks.
    pub probe: Probe,
    /// The region asked in; `None` for a global probe.
    pub region: Option<Region>,
}

impl From<&Target> for TargetKey {
    fn from(target: &Target) -> Self {
        Self { account: target.account.id, probe: target.probe, region: target.region.clone() }
    }
}

/// What is kept of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// The resources that AWS last told of, in the order of [`crate::model::TargetState::resources`].
    pub resources: Vec<ResourceState>,
    /// Names of what AWS last told of.
    pub details: Details,
    /// When AWS first knew of it, by AWS's clock.
    pub created_at: Option<Timestamp>,
    /// When AWS last changed it, by AWS's clock.
    pub modified_at: Option<Timestamp>,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
}

impl SavedState {
    /// How closely the target wants to be watched: as its most urgent resource does.
    pub fn phase(&self) -> Phase {
        let phases = self.resources.iter().map(|resource| resource.reading.status.phase());
        phases.max().unwrap_or_default()
    }
}

/// How much of the event log is kept.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    retention: Duration,
    max_events: u64,
}

impl From<&config::Store> for Bounds {
    fn from(&config::Store { retention, max_events, .. }: &config::Store) -> Self {
        Self { retention, max_events }
    }
}

/// The store at work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    latest: Arc<watch::Sender<u64>>,
    bounds: Arc<watch::Sender<Bounds>>,
    /// Held for its drop; nobody else can use a store in memory, and who only reads needs none.
    lock: Option<Arc<Lock>>,
}

impl Store {
    /// Opens the store, makes it where there is none, and takes hold of it. What is there is looked
    /// through first, and left as it is if it is refused.
    ///
    /// # Errors
    /// If it is in use by another daemon, damaged, of a newer release or of another program, or cannot be
    /// read, written or made.
    pub async fn open(settings: &config::Store) -> Result<Self, OpenError> {
        Self::open_at(settings, SchemaStep::released()).await
    }

    /// The same as a release would that has other steps to the form of a schema in PostgreSQL: what an
    /// upgrade will do can be tried with it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_at(settings: &config::Store, steps: &[SchemaStep]) -> Result<Self, OpenError> {
        let (engine, lock) = open_engine(settings, steps).await?;
        Self::new(engine, lock.map(Arc::new), settings).await
    }

    /// Opens the store of a daemon, to read only: it is neither locked nor written, whether or not a daemon
    /// is running.
    ///
    /// # Errors
    /// As [`Store::open`], and if there is none.
    pub async fn open_to_read(settings: &config::Store) -> Result<Self, OpenError> {
        let engine = match (&settings.postgres, &settings.path) {
            (Some(database), _) => Kind::Postgres(Postgres::open_to_read(database).await?),
            (None, Some(path)) => Kind::Sqlite(Sqlite::open_to_read(&resolve(path)?).await?),
            (None, None) => Kind::Sqlite(Sqlite::in_memory().await?),
        };
        Self::new(engine.into(), None, settings).await
    }

    async fn new(
        engine: Engine,
        lock: Option<Arc<Lock>>,
        settings: &config::Store,
    ) -> Result<Self, OpenError> {
        let closed = |source| match &engine.kind {
            Kind::Postgres(engine) => engine.closed(source).into(),
            Kind::Sqlite(_) => OpenError::Refused { path: settings.path.clone().unwrap_or_default(), source },
        };
        if let Some(of) = engine.copied_from().await.map_err(closed)? {
            engine.close().await;
            return Err(OpenError::Unfinished { at: place(settings)?, of });
        }
        let latest = engine.latest().await.map_err(closed)?;
        Ok(Self {
            engine,
            latest: Arc::new(watch::Sender::new(latest)),
            bounds: Arc::new(watch::Sender::new(settings.into())),
            lock,
        })
    }

    /// Keeps as much of the event log as these settings say from now on. Their path is not looked at.
    pub fn set_bounds(&self, settings: &config::Store) {
        self.bounds.send_replace(settings.into());
    }

    /// How often it has failed so far, for a page of metrics.
    pub fn troubles(&self) -> Troubles {
        self.engine.troubles.clone()
    }

    /// The states that are kept; none in memory, where nobody would read them again.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn states(&self) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
        self.engine.states().await
    }

    /// The sequence number of the latest entry of the event log, 0 while there was none; it changes when
    /// entries have become durable.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Tells of entries that have become durable.
    fn tell(&self, now: u64) {
        self.latest.send_if_modified(|latest| {
            let has_grown = now > *latest;
            *latest = now.max(*latest);
            has_grown
        });
    }

    /// Until when nothing may be sent in quota scopes, by their names, where that is after a time; none in
    /// memory.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn gates(&self, now: Timestamp) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        self.engine.gates(now).await
    }

    /// Entries of the event log.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, StoreError> {
        self.engine.events(query).await
    }

    /// How far a sink has come: the sequence number of the last entry that it is done with. A sink that
    /// was never heard of begins after the latest entry, and from now on nothing is pruned that it has
    /// yet to deliver.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        self.engine.cursor(sink).await
    }

    /// Notes how far a sink has come, which is never back, and the entries that it gave up on since the
    /// last time, each with the reason; in one transaction.
    ///
    /// # Errors
    /// If the store cannot be written, or the claim is stale.
    pub async fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        self.engine.advance(sink, cursor, parked, claim).await
    }

    /// Writes what is still beside its file into it, lets go of it, and ends: for this store and for every
    /// clone of it.
    pub async fn close(self) {
        self.engine.close().await;
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }
}

impl Ledger for Store {
    /// It may be dropped half-way: then either all of the batch is written or nothing.
    async fn commit(&self, batches: Arc<Vec<Batch>>) -> Result<Committed, StoreError> {
        if batches.iter().all(Batch::is_empty) {
            return Ok(Committed::default());
        }
        let (committed, latest) = self.engine.commit(&batches).await?;
        self.tell(latest);
        Ok(committed)
    }
}

/// The engine at the place of a store, which is made where there is none, and the hold on it.
async fn open_engine(
    settings: &config::Store,
    steps: &[SchemaStep],
) -> Result<(Engine, Option<Lock>), OpenError> {
    let (engine, lock) = match (&settings.postgres, &settings.path) {
        (Some(database), _) => (Kind::Postgres(Postgres::open(database, steps).await?), None),
        (None, Some(path)) => {
            let path = resolve(path)?;
            let lock = Lock::take(&path)?;
            (Kind::Sqlite(Sqlite::open(&path).await?), Some(lock))
        }
        (None, None) => (Kind::Sqlite(Sqlite::in_memory().await?), None),
    };
    Ok((engine.into(), lock))
}

/// What names a store and tells it from others, for people.
fn place(settings: &config::Store) -> Result<String, OpenError> {
    match (&settings.postgres, &settings.path) {
        (Some(database), _) => Ok(Postgres::place(database)?),
        (None, Some(path)) => Ok(resolve(path)?.display().to_string()),
        (None, None) => Ok("in memory".to_owned()),
    }
}

/// The one path of a file, however it was named, so that whoever means it meets at the same lock.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: path.to_owned(), source };
    let missing =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match path.canonicalize() {
        Err(error) if missing(&error) => {}
        resolved => return resolved.map_err(unreadable),
    }
    let name = path.file_name().ok_or_else(|| OpenError::NoFile { path: path.to_owned() })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.unwrap_or(Path::new(".")).canonicalize() {
        Ok(folder) if folder.is_dir() => Ok(folder.join(name)),
        Err(error) if !missing(&error) => Err(unreadable(error)),
        _ => Err(OpenError::NoFolder { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
