//! How a target is doing, in one word: the one place that decides it.

use super::{FailureReason, Status, TargetState};

/// How a target is doing, from what needs nobody to what is worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// All is as it should be.
    Well,
    /// There is nothing: not registered, or not linked.
    Absent,
    /// It has not been asked yet, or AWS says a word that this release does not know.
    Unknown,
    /// AWS is at work on it.
    Pending,
    /// It has not answered for longer than `stale_after`, and not because calls fail.
    Stale,
    /// The last call failed.
    Unreachable,
    /// AWS says that it failed, or cannot be used any more.
    Failed,
}

impl Health {
    /// Every one, the worst first.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Unreachable,
        Self::Stale,
        Self::Pending,
        Self::Unknown,
        Self::Absent,
        Self::Well,
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }

    /// How a resource of this status is doing.
    pub const fn of_status(status: Status) -> Self {
        match status {
            Status::RegistrationSuccess | Status::Active => Self::Well,
            Status::NotRegistered | Status::NotLinked => Self::Absent,
            Status::Unknown => Self::Unknown,
            Status::RegistrationPending | Status::PendingActivation => Self::Pending,
            Status::RegistrationFailure | Status::Suspended | Status::Closed => Self::Failed,
        }
    }

    /// How a target is doing. What AWS said is worse than not to hear of it; to be throttled is the affair
    /// of the quota scope, and tells nothing of the target before it is stale.
    pub fn of_target(state: &TargetState, is_stale: bool) -> Self {
        let statuses = state.resources.iter().map(|resource| Self::of_status(resource.reading.status));
        let told = statuses.max();
        let fails = state.failure.as_ref().is_some_and(|failure| failure.reason != FailureReason::Throttled);
        match told {
            Some(Self::Failed) => Self::Failed,
            _ if fails => Self::Unreachable,
            _ if is_stale => Self::Stale,
            told => told.unwrap_or(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, Resource, ResourceReading, ResourceState};
    use jiff::Timestamp;

    fn health(statuses: &[Status], failure: Option<FailureReason>, is_stale: bool) -> Health {
        let since = Timestamp::UNIX_EPOCH;
        let resources = statuses
            .iter()
            .map(|&status| ResourceState { reading: ResourceReading::new(Resource::Account, status), since });
        let state = TargetState {
            resources: resources.collect(),
            failure: failure.map(|reason| Box::new(Failure::new(reason, "no"))),
            ..TargetState::default()
        };
        Health::of_target(&state, is_stale)
    }

    #[test]
    fn a_target_has_the_worst_that_is_known() {
        use FailureReason::{AccessDenied, Throttled};
        use Status::{NotLinked, RegistrationFailure, RegistrationPending, RegistrationSuccess, Unknown};
        for (statuses, failure, is_stale, expected) in [
            (&[][..], None, false, Health::Unknown),
            (&[], None, true, Health::Stale),
            (&[], Some(AccessDenied), true, Health::Unreachable),
            (&[RegistrationSuccess], None, false, Health::Well),
            (&[RegistrationSuccess], None, true, Health::Stale),
            (&[RegistrationSuccess], Some(Throttled), false, Health::Well),
            (&[RegistrationSuccess], Some(Throttled), true, Health::Stale),
            (&[RegistrationPending], Some(AccessDenied), false, Health::Unreachable),
            (&[RegistrationSuccess, RegistrationPending], None, false, Health::Pending),
            (&[RegistrationPending, RegistrationFailure], Some(AccessDenied), true, Health::Failed),
            (&[RegistrationSuccess, Unknown], None, false, Health::Unknown),
            (&[NotLinked], None, false, Health::Absent),
        ] {
            assert_eq!(health(statuses, failure, is_stale), expected, "{statuses:?} {failure:?} {is_stale}");
        }
    }

    #[test]
    fn all_are_listed_from_the_worst() {
        assert!(Health::ALL.is_sorted_by(|one, next| one > next));
    }
}
