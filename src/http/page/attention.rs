//! What needs somebody, the most urgent first.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Look;
use crate::model::{FailureReason, Phase, ResourceState, Status, TargetId, advice};

/// For how long a registration may be pending: AWS says that it takes about five minutes.
const REGISTRATION: Duration = Duration::from_mins(30);

/// For how long an activation may be pending: AWS says nothing of it, and people are involved.
const ACTIVATION: Duration = Duration::from_hours(24);

/// Why a target needs somebody, from the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// AWS says that this one of its resources failed.
    Failed(usize),
    /// Asking fails, and will fail until somebody does something.
    CannotAsk,
    /// It is silent.
    Silent,
    /// This one of its resources is pending for too long.
    Lingers(usize),
    /// This one of its resources is not as it should be.
    Amiss(usize),
}

/// A target that needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Concern {
    pub(super) target: TargetId,
    pub(super) cause: Cause,
    pub(super) since: Timestamp,
}

impl Concern {
    /// What sorts concerns: the most urgent first, and of these the latest.
    pub(super) fn urgency(&self) -> impl Ord + use<> {
        let rank = match self.cause {
            Cause::Failed(_) => 0,
            Cause::CannotAsk => 1,
            Cause::Silent => 2,
            Cause::Lingers(_) => 3,
            Cause::Amiss(_) => 4,
        };
        (rank, Reverse(self.since), self.target)
    }

    /// The most urgent reason for which a target needs somebody, if it does.
    pub(super) fn of(look: &Look, id: TargetId, is_stale: bool) -> Option<Self> {
        // Whose account has left its organization is nobody's concern any more.
        if look.snapshot.fleet.leaving.contains_key(&id) {
            return None;
        }
        let state = look.state(id);
        let silent_since = || look.snapshot.silent_since(id);
        let concern = |cause, since| Some(Self { target: id, cause, since });
        let resource = |is_it: &dyn Fn(&ResourceState) -> bool| state.resources.iter().position(is_it);

        let fails = |state: &ResourceState| state.reading.status.phase() == Phase::Failed;
        // The account's comes first and says the least: it failed because something else did.
        if let Some(at) = state.resources.iter().rposition(fails) {
            return concern(Cause::Failed(at), state.resources[at].since);
        }
        match &state.failure {
            Some(failure)
                if is_lasting(failure.reason) || is_stale && failure.reason != FailureReason::Throttled =>
            {
                return concern(Cause::CannotAsk, silent_since());
            }
            _ if is_stale => return concern(Cause::Silent, silent_since()),
            _ => {}
        }
        if let Some(at) = resource(&|state| lingers(state, look.now)) {
            return concern(Cause::Lingers(at), state.resources[at].since);
        }
        let at = resource(&|state| {
            state.reading.status == Status::Unknown || advice::of_state(&state.reading).is_some()
        })?;
        concern(Cause::Amiss(at), state.resources[at].since)
    }

    /// What is the matter, in a few words.
    pub(super) fn what(&self, look: &Look) -> &'static str {
        let state = look.state(self.target);
        match self.cause {
            Cause::Failed(at) | Cause::Amiss(at) => match state.resources[at].reading.status {
                Status::RegistrationFailure => "The registration failed",
                Status::Suspended => "The GovCloud account is suspended",
                Status::Closed => "The GovCloud account is closed",
                Status::NotRegistered => "The account is not registered",
                Status::NotLinked => "No GovCloud account is linked",
                Status::Unknown => "AWS tells a state that this release does not know",
                _ => "The state is not as it should be",
            },
            Cause::CannotAsk | Cause::Silent if state.last_success.is_none() => {
                "It has not answered since it was first asked"
            }
            Cause::CannotAsk => "It cannot be asked",
            Cause::Silent => "It has been silent for too long",
            Cause::Lingers(at) => match state.resources[at].reading.status {
                Status::PendingActivation => "The activation is pending for too long",
                _ => "The registration is pending for too long",
            },
        }
    }

    /// What should be done about it.
    pub(super) fn advice(&self, look: &Look) -> String {
        let state = look.state(self.target);
        let target = look.snapshot.fleet.target(self.target);
        match (self.cause, &state.failure) {
            (Cause::Failed(at) | Cause::Amiss(at), _) => advice::of_state(&state.resources[at].reading)
                .unwrap_or("See the account's console; a newer release of regwatch may know this state.")
                .to_owned(),
            (Cause::CannotAsk | Cause::Silent, Some(failure)) => advice::of_failure(target, failure),
            (Cause::CannotAsk | Cause::Silent, None) if look.is_elsewhere(self.target) => {
                "Another replica asks it: see there why it does not answer.".to_owned()
            }
            (Cause::CannotAsk | Cause::Silent, None) => {
                "Look whether its quota scope wants more calls than it is allowed, and at regwatch's health."
                    .to_owned()
            }
            (Cause::Lingers(at), _) => advice::of_state(&state.resources[at].reading)
                .unwrap_or("AWS usually takes minutes for it: look at it in the account's console, then ask AWS Support.")
                .to_owned(),
        }
    }

    /// AWS's or the network's own words about it.
    pub(super) fn words<'a>(&self, look: &'a Look) -> Option<&'a str> {
        let state = look.state(self.target);
        match self.cause {
            Cause::Failed(_) => state.resources.iter().find_map(|state| state.reading.error_message()),
            Cause::Lingers(at) | Cause::Amiss(at) => {
                let reading = &state.resources[at].reading;
                reading.error_message().or(reading.text())
            }
            Cause::CannotAsk | Cause::Silent => state.failure.as_ref().map(|failure| &*failure.message),
        }
    }
}

/// Whether a failure lasts until somebody does something.
const fn is_lasting(reason: FailureReason) -> bool {
    match reason {
        FailureReason::AccessDenied
        | FailureReason::Credentials
        | FailureReason::InvalidRequest
        | FailureReason::WrongAccount
        | FailureReason::MalformedReply
        | FailureReason::Other => true,
        FailureReason::Throttled
        | FailureReason::Timeout
        | FailureReason::Unreachable
        | FailureReason::ServerError
        | FailureReason::Unavailable => false,
    }
}

fn lingers(state: &ResourceState, now: Timestamp) -> bool {
    let bound = match state.reading.status {
        Status::RegistrationPending => REGISTRATION,
        Status::PendingActivation => ACTIVATION,
        _ => return false,
    };
    now.duration_since(state.since) > SignedDuration::try_from(bound).unwrap_or(SignedDuration::MAX)
}
