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
    /// What the caller calls itself in `User-Agent`: the value of `AWS_SDK_UA_APP_ID`.
    pub app: Option<Box<str>>,
    /// The account asked about: the role's for `AssumeRole`, the named one or the caller's for the others.
    pub about: Option<AccountId>,
    /// The region that the signature names.
    pub region: Region,
    /// How it ended.
    pub outcome: Outcome,
    /// When its answer was ready to be sent; `None` before, and if the caller did not wait for it.
    pub answered: Option<Duration>,
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
    /// How many are not remembered any more.
    forgotten: usize,
}

/// The place of a call among all that ever came.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallNumber(usize);

impl Record {
    pub(super) fn add(&mut self, call: Call) -> CallNumber {
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
            self.forgotten += 1;
        }
        self.calls.push_back(call);
        CallNumber(self.forgotten + self.calls.len() - 1)
    }

    /// The answer to a call is ready to be sent.
    pub(super) fn answered(&mut self, CallNumber(number): CallNumber, now: Duration) {
        let place = number.checked_sub(self.forgotten);
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            call.answered = Some(now);
        }
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }
}
