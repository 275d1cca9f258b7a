//! One authenticated call, as the services see it.

use std::time::Duration;

use jiff::Timestamp;

use super::operation::Input;
use super::principal::Principal;
use super::reply::Refusal;
use super::{Fault, Operation, refusal};
use crate::model::{AccountId, Region};

/// One authenticated call.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) operation: Operation,
    pub(super) input: &'a Input,
    pub(super) caller: &'a Principal,
    pub(super) region: &'a Region,
    /// The fault in effect: services look for those that bend an answer.
    pub(super) fault: Option<Fault>,
    /// From the start of the simulation.
    pub(super) now: Duration,
    pub(super) wall: Timestamp,
    /// The wall time at the start of the simulation.
    pub(super) epoch: Timestamp,
}

impl<'a> Ask<'a> {
    /// A string member of the input.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.input.get(name)?.as_str()
    }

    /// The account that the answer names instead of the right one, or the right one.
    pub(super) fn answered_for(&self, account: AccountId) -> AccountId {
        match self.fault {
            Some(Fault::WrongAccount) => Fault::WRONG_ACCOUNT.parse().expect("it is twelve digits"),
            _ => account,
        }
    }

    /// The state that the answer names instead of the right one, or the right one.
    pub(super) fn answered_with(&self, state: &'static str) -> &'static str {
        match self.fault {
            Some(Fault::UnknownEnum) => Fault::UNKNOWN_STATE,
            _ => state,
        }
    }

    /// No policy of the caller allows this.
    pub(super) fn denied(&self, resource: &str) -> Refusal {
        refusal::denied(self.operation, &self.caller.arn, resource)
    }
}
