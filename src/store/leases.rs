//! Who of several replicas may do what: the leases, by the clock of the store that they share.

use std::sync::Arc;
use std::time::Duration;

use super::StoreError;
use crate::model::{Claim, Epoch, Lease, ReplicaId};

/// A run of the program that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// What names it.
    pub id: ReplicaId,
    /// What people call it.
    pub name: Arc<str>,
}

impl Replica {
    /// This run of the program; without a name it is called as the host is.
    pub fn of_this_run(name: Option<Arc<str>>) -> Self {
        let host = || {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("regwatch").into()
        };
        Self { id: ReplicaId::random(), name: name.unwrap_or_else(host) }
    }
}

/// What is known of all leases and replicas, in one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Those whose own entry has not expired, in the order of their ids.
    pub replicas: Vec<LiveReplica>,
    /// All that there ever were, in the order of their texts.
    pub leases: Vec<LeaseState>,
    /// In how long the first of them ends that another holds than who asks, unless it is renewed.
    pub next_end: Option<Duration>,
}

/// A replica that takes part now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveReplica {
    /// What names it.
    pub id: ReplicaId,
    /// What people call it.
    pub name: Arc<str>,
}

/// How a lease stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Which.
    pub lease: Lease,
    /// The epoch of who holds it or held it last; 0 if nobody ever has.
    pub epoch: Epoch,
    /// Who holds it; `None` where it is free or has expired.
    pub holder: Option<ReplicaId>,
}

/// Where leases are kept. Each call is one transaction, and time is the store's own: no clock of a replica
/// decides who holds what.
pub trait Leases: Send + Sync + 'static {
    /// One round: notes that this replica lives for `duration` from now on, renews those of `held` that are
    /// current and have not expired, makes those of `known` that there never were, and tells how everything
    /// stands. A claim of `held` that is missing among those that the roll says `me` holds at that epoch is
    /// lost.
    ///
    /// # Errors
    /// If the store cannot be used. Whether the leases were renewed is not known then.
    fn renew(
        &self,
        me: &Replica,
        known: &[Lease],
        held: &[Claim],
        duration: Duration,
    ) -> impl Future<Output = Result<Roll, StoreError>> + Send;

    /// Takes those that are free or have expired, each under its next epoch, and tells which it got.
    ///
    /// # Errors
    /// If the store cannot be used. What was taken nevertheless is in the next roll.
    fn take(
        &self,
        me: &ReplicaId,
        wanted: &[Lease],
        duration: Duration,
    ) -> impl Future<Output = Result<Vec<Claim>, StoreError>> + Send;

    /// Gives up claims. Those that are stale are left alone.
    ///
    /// # Errors
    /// If the store cannot be used; they expire by themselves.
    fn release(
        &self,
        me: &ReplicaId,
        claims: &[Claim],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that the replica has ended: it does not count for the share-out any more.
    ///
    /// # Errors
    /// If the store cannot be used; its entry expires by itself.
    fn leave(&self, me: &ReplicaId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes note that whoever asked has given up waiting for an answer.
    fn unanswered(&self) {}
}
