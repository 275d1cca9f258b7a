//! What every engine of the store does: the integration tests run it with SQLite, and those before judges
//! with PostgreSQL. Each says in its `place` where a store of a test's own is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use regwatch::model::{
    Account, AccountId, Details, Entry, Event, EventId, FleetWiseDetails, GovCloudDetails, Probe, Region,
    Resource, ResourceReading, ResourceState, Status, Transition, TransitionKind,
};
use regwatch::store::{Batch, EventQuery, History, Ledger, SavedState, Silence, Step, Store, TargetKey};

use crate::place::Place;

#[path = "store/bounds.rs"]
mod bounds;
#[path = "store/copy.rs"]
pub(crate) mod copy;
#[path = "store/gates.rs"]
mod gates;
#[path = "store/history.rs"]
mod history;
#[path = "store/log.rs"]
mod log;
#[path = "store/members.rs"]
mod members;
#[path = "store/properties.rs"]
mod properties;
#[path = "store/states.rs"]
mod states;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("the store can be used")
}

pub(crate) fn account(number: u64) -> AccountId {
    format!("{number:012}").parse().expect("it is a number")
}

pub(crate) fn key(number: u64) -> TargetKey {
    TargetKey { account: account(number), probe: Probe::FleetWise, region: Some(Region::new("eu-central-1")) }
}

pub(crate) fn state(statuses: &[(Resource, Status)], since: i64) -> SavedState {
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
pub(crate) fn event(number: u64, second: i64) -> Event {
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
pub(crate) fn silence(number: u64, from: i64, until: i64) -> Silence {
    Silence { target: key(number), from: at(from), until: at(until) }
}

/// Events of one account, one a second from the first second on.
pub(crate) fn events(count: u32) -> Vec<Event> {
    (1..=i64::from(count)).map(|second| event(1, second)).collect()
}

pub(crate) async fn commit(store: &Store, batch: Batch) {
    store.commit(Arc::new(vec![batch])).await.expect("the store can be used");
}

pub(crate) async fn append(store: &Store, events: Vec<Event>) {
    commit(store, Batch { events, ..Batch::default() }).await;
}

/// The whole log.
pub(crate) async fn log(store: &Store) -> Vec<Entry> {
    store.events(&EventQuery::after(0, u32::MAX)).await.expect("the store can be used")
}

/// The numbers of the whole log.
pub(crate) async fn numbers(store: &Store) -> Vec<u64> {
    log(store).await.iter().map(|entry| entry.sequence).collect()
}
