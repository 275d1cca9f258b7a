//! What one can see and change while the simulation runs.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::change::changes;
use super::shared::Shared;
use super::{
    Call, Change, Fault, GovCloudState, MemberState, Operation, Quota, Registration, Script, Service,
};
use crate::clock::Clock;
use crate::model::{AccountId, Region};

/// A handle to a running simulation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The time from the start of the simulation, by which scripts and records count.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Gives a caller another quota of a service, in each region, from now on.
    pub fn set_quota(&self, caller: AccountId, service: Service, quota: Quota) {
        self.shared.state().world.quotas.set(caller, service, self.now(), quota);
    }

    /// Lets an operation fail whenever it is asked about an account.
    pub fn set_fault(&self, account: AccountId, operation: Operation, fault: Fault) {
        self.shared.state().world.faults.set(account, operation, fault);
    }

    /// Takes back what was set; a scripted fault remains.
    pub fn clear_fault(&self, account: AccountId, operation: Operation) {
        self.shared.state().world.faults.clear(account, operation);
    }

    /// Gives an account another registration from now on, whatever its script had in store. Setting what it
    /// was before moves only its modification time.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_registration(&self, account: AccountId, region: &Region, registration: Option<Registration>) {
        let now = self.now();
        let mut state = self.shared.state();
        let script =
            state.account(account).registrations.entry(region.clone()).or_insert_with(|| Script::new(None));
        script.set(now, registration);
    }

    /// Gives an account's linked GovCloud account another state from now on, or takes the link away.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_govcloud(&self, account: AccountId, govcloud: Option<GovCloudState>) {
        let now = self.now();
        self.shared.state().account(account).govcloud.set(now, govcloud);
    }

    /// Lets an account join the organization, or leave it.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_member(&self, account: AccountId, is_member: bool) {
        let now = self.now();
        self.shared.state().account(account).membership.set(now, is_member);
    }

    /// Gives an account another state in its organization from now on.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_member_state(&self, account: AccountId, member: MemberState) {
        let now = self.now();
        self.shared.state().account(account).state.set(now, member);
    }

    /// Gives an account another tag in its organization, in the place of one of that key.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_tag(&self, account: AccountId, key: &str, value: &str) {
        self.shared.state().account(account).tags.insert(key.to_owned(), value.to_owned());
    }

    /// Lets the sessions that STS opens from now on last so long, whatever was asked for.
    pub fn set_session_lifetime(&self, lifetime: Duration) {
        self.shared.state().session_lifetime = Some(lifetime);
    }

    /// Ends every session that STS has opened.
    pub fn expire_sessions(&self) {
        self.shared.state().keys.expire_sessions(Clock::System.now());
    }

    /// What has become of all accounts until now: each change of each resource, in the order of time.
    pub fn changes(&self) -> Vec<Change> {
        let now = self.now();
        let state = self.shared.state();
        let mut all: Vec<_> =
            state.world.accounts.values().flat_map(|account| changes(account, now)).collect();
        all.sort_by_key(|change| change.at);
        all
    }

    /// The calls that came, the oldest first; the latest 262,144 are remembered.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().record.calls().cloned().collect()
    }

    /// How many of the remembered calls are so.
    pub fn count(&self, is_so: impl Fn(&Call) -> bool) -> usize {
        self.shared.state().record.calls().filter(|call| is_so(call)).count()
    }

    /// How many calls the quota of a caller lets through within a period in the long run: what a perfectly
    /// paced client could have had accepted there, not counting the burst saved up before it.
    pub fn granted(&self, caller: AccountId, service: Service, period: Range<Duration>) -> f64 {
        self.shared.state().world.quotas.granted(caller, service, period.start, period.end)
    }
}
