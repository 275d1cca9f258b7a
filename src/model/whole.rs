//! The whole fleet, as each of several replicas shows it: what it holds itself as it knows it, and the rest as
//! the store keeps it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{ScopeId, Snapshot, TargetId};

/// By how much what the store keeps of an answer may be late: that nothing is new is written once a minute,
/// and read a second later.
const KEPT_LATE: SignedDuration = SignedDuration::from_secs(65);

/// Everything that is known of the whole fleet, at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Whole {
    /// What is known. Of what another replica holds only successes are: the last attempt is the last answer,
    /// nothing is counted, and nothing is known of a failure or of the next poll.
    pub snapshot: Arc<Snapshot>,
    /// Who holds what; `None` where one process holds everything.
    pub holders: Option<Holders>,
}

/// Who of several replicas holds what. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    /// What this replica is called.
    pub me: Arc<str>,
    /// How the right to each quota scope goes; a [`ScopeId`] is an index.
    pub rights: Arc<[Right]>,
    /// What the other replica is called that holds a shard; by the shard's number.
    pub others: Arc<[Option<Arc<str>>]>,
    /// Whether more than this replica take part, or this one does not hold everything.
    pub are_several: bool,
    /// Since when nothing is heard of what others hold, because the store cannot be read.
    pub unheard_since: Option<Timestamp>,
}

/// How the right to call in a quota scope goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Each replica has it: it signs in for itself.
    Each,
    /// This replica has it.
    Mine,
    /// It goes with this shard, which this replica does not hold.
    Shard(u16),
}

/// Who calls in a quota scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Each replica for itself.
    Each,
    /// This replica, and what it is called.
    Me(&'a str),
    /// Another replica, and what it is called.
    Other(&'a str),
    /// Nobody at the moment, as far as is known.
    Nobody,
}

impl<'a> Holder<'a> {
    /// What the one replica is called that calls; `None` if there is no such one.
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::Me(name) | Self::Other(name) => Some(name),
            Self::Each | Self::Nobody => None,
        }
    }
}

impl Whole {
    /// What one process knows that holds everything.
    pub fn of_one(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, holders: None }
    }

    /// Who holds what, if that is worth telling.
    pub fn several(&self) -> Option<&Holders> {
        self.holders.as_ref().filter(|holders| holders.are_several)
    }

    /// Whether what is known of a scope and its targets is only what the store keeps.
    pub fn is_elsewhere(&self, scope: ScopeId) -> bool {
        let right = |holders: &Holders| holders.rights[scope.0 as usize];
        matches!(self.holders.as_ref().map(right), Some(Right::Shard(_)))
    }

    /// As [`Snapshot::is_stale`], with some patience where the store tells.
    pub fn is_stale(&self, id: TargetId, now: Timestamp) -> bool {
        let late = match self.is_elsewhere(self.snapshot.fleet.target(id).scope) {
            true => KEPT_LATE,
            false => SignedDuration::ZERO,
        };
        self.snapshot.is_stale(id, now.saturating_sub(late).unwrap_or(now))
    }
}

impl Holders {
    /// Who calls in a quota scope.
    pub fn of(&self, scope: ScopeId) -> Holder<'_> {
        match self.rights[scope.0 as usize] {
            Right::Each => Holder::Each,
            Right::Mine => Holder::Me(&self.me),
            Right::Shard(shard) => match self.others.get(usize::from(shard)) {
                Some(Some(name)) => Holder::Other(name),
                _ => Holder::Nobody,
            },
        }
    }
}
