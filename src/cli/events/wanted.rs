//! Which events are wanted, as a question to the API and as one to the store.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{AccountId, Probe, Status};
use crate::store::EventQuery;

/// Which events are wanted. A set that is empty wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What was seen at this time or later.
    pub(super) since: Option<Timestamp>,
    /// Of these accounts.
    pub(super) accounts: BTreeSet<AccountId>,
    /// Into these states.
    pub(super) to: BTreeSet<Status>,
    /// Of these probes.
    pub(super) probes: BTreeSet<Probe>,
    /// What this sink has given up on.
    pub(super) parked_by: Option<String>,
}

impl Wanted {
    /// As parameters of the API.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let since = self.since.iter().map(|time| ("since", time.to_string()));
        let accounts = self.accounts.iter().map(|account| ("account", account.to_string()));
        let to = self.to.iter().map(|status| ("to", status.as_str().to_owned()));
        let probes = self.probes.iter().map(|probe| ("probe", probe.as_str().to_owned()));
        let parked_by = self.parked_by.iter().map(|sink| ("parked_by", sink.clone()));
        since.chain(accounts).chain(to).chain(probes).chain(parked_by).collect()
    }

    /// As a question to the store.
    pub(super) fn query(&self, after: u64, limit: u32) -> EventQuery {
        EventQuery {
            since: self.since,
            accounts: self.accounts.clone(),
            to: self.to.clone(),
            probes: self.probes.clone(),
            parked_by: self.parked_by.clone(),
            ..EventQuery::after(after, limit)
        }
    }
}
