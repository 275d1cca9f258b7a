//! Which entries of the event log are wanted.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{AccountId, Probe, Region, Resource, Status, TransitionKind};

/// Which entries of the event log are wanted, and in which order. A set that is empty wants all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Only entries with a greater sequence number.
    pub after: u64,
    /// Only entries with a smaller sequence number.
    pub before: Option<u64>,
    /// The latest first, where the oldest would be.
    pub newest_first: bool,
    /// At most so many.
    pub limit: u32,
    /// Only what was observed at this time or later.
    pub since: Option<Timestamp>,
    /// Only of these accounts.
    pub accounts: BTreeSet<AccountId>,
    /// Only of these probes.
    pub probes: BTreeSet<Probe>,
    /// Only of these regions.
    pub regions: BTreeSet<Region>,
    /// Only of these resources.
    pub resources: BTreeSet<Resource>,
    /// Only of these kinds.
    pub kinds: BTreeSet<TransitionKind>,
    /// Only into these states.
    pub to: BTreeSet<Status>,
    /// Only what this sink has given up on.
    pub parked_by: Option<String>,
}

impl EventQuery {
    /// Whatever comes after an entry, the oldest first.
    pub fn after(sequence: u64, limit: u32) -> Self {
        Self {
            after: sequence,
            before: None,
            newest_first: false,
            limit,
            since: None,
            accounts: BTreeSet::new(),
            probes: BTreeSet::new(),
            regions: BTreeSet::new(),
            resources: BTreeSet::new(),
            kinds: BTreeSet::new(),
            to: BTreeSet::new(),
            parked_by: None,
        }
    }
}
