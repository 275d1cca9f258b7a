//! Events for a log, and a log in memory.

use std::sync::Arc;

use regwatch::config;
use regwatch::model::{Details, Event, Resource, Status, Target, Transition, TransitionKind};
use regwatch::store::{Batch, Ledger, Store};

use crate::snapshot::at;

/// A store that ends with the test.
pub(crate) async fn memory() -> Store {
    let settings = config::Store { max_events: 1_000_000, ..config::Store::default() };
    Store::open(&settings).await.expect("memory is there")
}

/// A registration that has become this.
pub(crate) fn became(target: &Target, to: Status, time: &str) -> Event {
    let transition = Transition {
        kind: TransitionKind::Changed,
        resource: if target.region.is_some() { Resource::Account } else { Resource::GovCloudAccount },
        from: Some(Status::RegistrationPending),
        to,
        text: None,
        error_message: (to == Status::RegistrationFailure).then(|| "The role\ncannot be assumed.".into()),
        previous_since: Some(at("11:00:00")),
        observed_at: at(time),
        aws_modified_at: None,
    };
    Event::new(target, transition, &Details::None)
}

/// Appends events to a log.
pub(crate) async fn append(store: &Store, events: Vec<Event>) {
    store.commit(Arc::new(vec![Batch { events, ..Batch::default() }])).await.expect("it can be written");
}
