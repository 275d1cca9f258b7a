//! What became of targets over time: the steps of their resources, and when they were silent.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Store, StoreError, TargetKey};
use crate::model::{AccountId, Resource, Status};

/// A target did not answer for longer than its `stale_after`: nothing was known of it meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Which target.
    pub target: TargetKey,
    /// The last answer before it.
    pub from: Timestamp,
    /// The first answer after it.
    pub until: Timestamp,
}

/// A change of a resource: as much of an event as a picture needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of which target.
    pub target: TargetKey,
    /// What changed.
    pub resource: Resource,
    /// The state before; `None` when it was not known.
    pub from: Option<Status>,
    /// The state from then on.
    pub to: Status,
    /// Since when the state before was known.
    pub previous_since: Option<Timestamp>,
    /// When it was seen.
    pub at: Timestamp,
    /// Whether it is where the watching ended: nothing was known from then on.
    pub is_end: bool,
}

/// What became of some targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The steps, the oldest first.
    pub steps: Vec<Step>,
    /// The silences, in no order.
    pub silences: Vec<Silence>,
}

impl Store {
    /// What became of the targets of these accounts since a time. Of accounts that change all the time the
    /// latest 20,000 steps.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn history(
        &self,
        accounts: &BTreeSet<AccountId>,
        since: Timestamp,
    ) -> Result<History, StoreError> {
        if accounts.is_empty() {
            return Ok(History::default());
        }
        let steps = self.engine.steps(accounts, since).await?;
        Ok(History { steps, silences: self.engine.silences(accounts, since).await? })
    }
}
