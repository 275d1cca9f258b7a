//! What the loops that call AWS tell the tracker.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{AccountId, Failure, FailureReason, Generation, Reading, ScopeId, TargetId};

/// One thing that happened at the edge to AWS.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A target was polled.
    Polled {
        /// Which fleet the target and the scope are of.
        generation: Generation,
        /// What came of it.
        poll: Poll,
        /// The scope that it was polled in.
        scope: ScopeId,
        /// How that is paced after it.
        pacing: Pacing,
    },
    /// The pacing of a scope without targets, STS or Organizations, has changed.
    Paced {
        /// Which fleet the scope is of.
        generation: Generation,
        /// The scope.
        scope: ScopeId,
        /// How it is paced now.
        pacing: Pacing,
    },
    /// STS told which account is behind an identity.
    Caller {
        /// The identity's name.
        identity: Arc<str>,
        /// Its account.
        account: AccountId,
    },
    /// Credentials were fetched, or why they could not be.
    Refreshed(Result<(), FailureReason>),
    /// An organization was asked for its accounts. When it was successful, they are those of the fleet.
    Listed {
        /// The organization's name.
        organization: Arc<str>,
        /// When the listing ended.
        at: Timestamp,
        /// Why it failed, if it did.
        outcome: Result<(), Failure>,
    },
}

/// One poll of one target, as its poller reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// What was polled.
    pub target: TargetId,
    /// When the call was made.
    pub attempted_at: Timestamp,
    /// When the next one is due.
    pub next_poll: Timestamp,
    /// How much later than due the call was made.
    pub lag: Duration,
    /// How long the call took.
    pub duration: Duration,
    /// What came of it.
    pub outcome: Result<Reading, Failure>,
}

/// How a quota scope is paced, as its poller reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pacing {
    /// The rate that was learnt, in requests per second.
    pub allowed: f64,
    /// When the gate that a throttle closed opens again; `None` while it is open.
    pub backoff_until: Option<Timestamp>,
    /// How many calls were throttled.
    pub throttled: u64,
}
