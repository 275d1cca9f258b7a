//! What was asked, and how it ended.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Fault, Operation};
use crate::model::{AccountId, Region};

/// How many calls are remembered: the latest four minutes at a thousand a second, in some 25 MB.
const REMEMBERED: usize = 1 << 18;

/// A call to the simulated AWS.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// When it came, from the start of the simulation.
    pub at: Duration,
    /// What was called.
    pub operation: Operation,
    /// Whose credentials called; `None` where that was not established.
    pub caller: Option<AccountId>,
    /// The account asked about: the role's for `AssumeRole`, the named one or the caller's for the others.
    pub about: Option<AccountId>,
    /// The region that the signature names.
    pub region: Region,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It was let through to the service, which answered; also when it answered that nothing is there.
    Accepted,
    /// The quota was used up.
    Throttled,
    /// The caller may not do this.
    Denied,
    /// The input does not hold together.
    Invalid,
    /// The signature is missing, wrong or of unknown or expired credentials.
    Unauthenticated,
    /// A fault that was asked for.
    Fault(Fault),
}

/// The latest calls, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Record {
    calls: VecDeque<Call>,
}

impl Record {
    pub(super) fn add(&mut self, call: Call) {
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }
}
