use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{Account, Event, EventId, Resource, ResourceReading, Status, Transition, TransitionKind};

mod memory;
mod opening;
mod trouble;
mod words;

/// A folder of a test's own, and the settings of a store in it.
struct Place {
    folder: tempfile::TempDir,
    settings: config::Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = config::Store {
            path: Some(folder.path().join("regwatch.db")),
            postgres: None,
            retention: Duration::from_hours(90 * 24),
            max_events: 1_000_000,
        };
        Self { folder, settings }
    }

    fn path(&self) -> &Path {
        self.settings.path.as_deref().unwrap()
    }

    async fn open(&self) -> Store {
        Store::open(&self.settings).await.unwrap()
    }

    /// Opens what must not be opened.
    async fn refused(&self) -> OpenError {
        Store::open(&self.settings).await.expect_err("it opens")
    }

    /// The names of what is in the folder.
    fn files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Store {
    fn sqlite(&self) -> &Sqlite {
        match &self.engine.kind {
            Kind::Sqlite(engine) => engine,
            Kind::Postgres(_) => panic!("it is in a file"),
        }
    }
}

/// A store in memory.
async fn in_memory() -> Store {
    Store::open(&config::Store::default()).await.unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn account(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

fn key(number: u64) -> TargetKey {
    TargetKey { account: account(number), probe: Probe::FleetWise, region: Some(Region::new("eu-central-1")) }
}

fn state(statuses: &[(Resource, Status)], since: i64) -> SavedState {
    let resources = statuses.iter().map(|&(resource, status)| ResourceState {
        reading: ResourceReading::new(resource, status),
        since: at(since),
    });
    SavedState {
        resources: resources.collect(),
        details: Details::None,
        created_at: None,
        modified_at: None,
        last_success: Some(at(since)),
    }
}

/// An event of an account, seen at a second.
fn event(number: u64, second: i64) -> Event {
    let account = Account { id: account(number), name: "name".into(), labels: BTreeMap::new() };
    let observed_at = at(second);
    Event {
        id: EventId::new(observed_at),
        account: Arc::new(account),
        probe: Probe::FleetWise,
        region: Some(Region::new("eu-central-1")),
        transition: Transition {
            kind: TransitionKind::Changed,
            resource: Resource::Account,
            from: Some(Status::RegistrationPending),
            to: Status::RegistrationSuccess,
            text: None,
            error_message: None,
            previous_since: None,
            observed_at,
            aws_modified_at: None,
        },
        role_arn: None,
        timestream_database_name: None,
        timestream_table_name: None,
    }
}

/// A silence of an account's target.
fn silence(number: u64, from: i64, until: i64) -> Silence {
    Silence { target: key(number), from: at(from), until: at(until) }
}

/// Events of one account, one a second from the first second on.
fn events(count: u32) -> Vec<Event> {
    (1..=i64::from(count)).map(|second| event(1, second)).collect()
}

async fn commit(store: &Store, batch: Batch) {
    store.commit(Arc::new(vec![batch])).await.unwrap();
}

async fn append(store: &Store, events: Vec<Event>) {
    commit(store, Batch { events, ..Batch::default() }).await;
}

/// The whole log.
async fn log(store: &Store) -> Vec<Entry> {
    store.events(&EventQuery::after(0, u32::MAX)).await.unwrap()
}

/// The numbers of the whole log.
async fn numbers(store: &Store) -> Vec<u64> {
    log(store).await.iter().map(|entry| entry.sequence).collect()
}
