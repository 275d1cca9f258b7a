//! What is written of targets and of what happened to them, and where.

use std::sync::Arc;

use jiff::Timestamp;

use super::{SavedState, Silence, StoreError, TargetKey};
use crate::model::{Claim, Event};

/// What is written in one transaction, all of it or nothing. Writing it twice is the same as once: the
/// outcome of a write that failed may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// States that take the place of what was kept.
    pub states: Vec<(TargetKey, SavedState)>,
    /// Events to append to the log, in this order.
    pub events: Vec<Event>,
    /// Targets that answered, with nothing new, and when.
    pub answered: Vec<(TargetKey, Timestamp)>,
    /// Silences that have ended.
    pub silences: Vec<Silence>,
    /// Targets that are not watched any more, and of which no state is kept but what comes with this batch.
    pub ended: Vec<TargetKey>,
    /// Until when nothing may be sent in a quota scope, by its name; `None` where something may again.
    pub gates: Vec<(String, Option<Timestamp>)>,
    /// What it is written under, where several replicas share the store. Without a claim it is always
    /// written.
    pub claim: Option<Claim>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self { states, events, answered, silences, ended, gates, claim: _ } = self;
        states.is_empty()
            && events.is_empty()
            && answered.is_empty()
            && silences.is_empty()
            && ended.is_empty()
            && gates.is_empty()
    }
}

/// What has become of the batches of a transaction that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The claims that are stale: what came under them was left out, for another replica holds what they
    /// were to, and finds out by itself.
    pub fenced: Vec<Claim>,
}

/// Where the tracker writes.
pub trait Ledger: Send + Sync + 'static {
    /// Writes batches in one transaction, in their order: all of them or none, but for those whose claim is
    /// stale.
    fn commit(&self, batches: Arc<Vec<Batch>>) -> impl Future<Output = Result<Committed, StoreError>> + Send;
}
