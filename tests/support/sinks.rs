//! Sinks on a store in memory, and events for them.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use regwatch::clock::Clock;
use regwatch::config::{self, On};
use regwatch::model::{Entry, Status};
use regwatch::sink::{Deliver, Log, Progress, Refusal, RefusalReason, Sink, sample};
use regwatch::store::{Batch, Ledger, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A store in memory, to write events to.
#[derive(Clone)]
pub(crate) struct Events(pub(crate) Store);

impl Events {
    pub(crate) async fn new() -> Self {
        Self(Store::open(&config::Store::default()).await.expect("there is always memory"))
    }

    /// Writes a change into a state, seen at a time, and shows it as it is in the log.
    pub(crate) async fn append(&self, to: Status, observed_at: Timestamp) -> Entry {
        let Entry { event, .. } = sample(to, observed_at);
        let batch = Batch { events: vec![event.clone()], ..Batch::default() };
        self.0.commit(Arc::new(vec![batch])).await.expect("it can be written");
        let sequence = *self.0.latest().borrow();
        Entry { sequence, event }
    }
}

/// A receiver that answers by a script, and fails once that is over.
struct Scripted(VecDeque<Result<(), RefusalReason>>);

impl Deliver for Scripted {
    async fn deliver(&mut self, _entry: &Entry) -> Result<(), Refusal> {
        let answer = self.0.pop_front().unwrap_or(Err(RefusalReason::ServerError));
        answer.map_err(|reason| Refusal { reason, detail: "no".to_owned(), retry_after: None })
    }
}

/// Two sinks at rest: the log, which has written all of four events, and a webhook that has parked the
/// first, taken the second, and failed at the third, which was seen 90.5 s before `now`.
pub(crate) async fn two_sinks(now: Timestamp) -> [Arc<Progress>; 2] {
    let (events, clock) = (Events::new().await, Clock::starting_at(now));
    let script = [Err(RefusalReason::Template), Ok(()), Err(RefusalReason::Throttled)];
    let (store, name) = (events.0.clone(), "a \"hook\"".into());
    let written = Sink::open(Log::NAME.into(), On::everything(), Log, store.clone(), clock);
    let posted = Sink::open(name, On::default(), Scripted(script.into()), store, clock);
    let (written, posted) = (written.await.expect("opened"), posted.await.expect("opened"));
    for age in [120_000, 100_000, 90_500, 5] {
        let seen = Timestamp::from_millisecond(now.as_millisecond() - age).expect("a time");
        events.append(Status::RegistrationFailure, seen).await;
    }
    let progress = [written.progress(), posted.progress()];
    let draining = CancellationToken::new();
    draining.cancel();
    let (_held, no_changes) = mpsc::channel(1);
    written.run(no_changes, draining.clone()).await;
    let (_held, no_changes) = mpsc::channel(1);
    posted.run(no_changes, draining).await;
    progress
}
