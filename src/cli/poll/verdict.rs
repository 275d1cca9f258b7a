//! Whether what AWS answered is well: target by target, and all of it in one exit status.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Failure, Organization, Phase, Resource, Snapshot, Target, TargetId, TargetState, advice};

/// The exit status where something could not be asked.
pub(super) const NOT_ASKED: u8 = 2;

/// What to do about a target that is pending for too long.
const OVERDUE: &str = "A registration takes about five minutes. Look at the resource in the AWS console of that \
                       account and region, register the account again, or ask AWS Support.";

/// What to do about a target that had no turn.
const NO_TURN: &str = "Its turn did not come in the time there was: allow more with --timeout, or more calls with \
                       `limits` in the configuration, or ask for fewer targets with --account and --probe.";

/// What to do about an organization that was not listed in time.
pub(super) const NO_LISTING: &str = "There was no time to list it: allow more with --timeout.";

/// What is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// For how long a target may be pending.
    pub(super) max_pending: Duration,
    /// The time at which it is.
    pub(super) now: Timestamp,
}

/// What a target is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing is to be done.
    Well,
    /// AWS is at work on it, and not for too long as far as can be told.
    Pending,
    /// AWS is at work on it for too long.
    Overdue,
    /// Its state wants somebody.
    NeedsAttention,
    /// It did not answer.
    NotAsked,
}

impl Verdict {
    /// Every verdict.
    pub(super) const ALL: [Self; 5] =
        [Self::Well, Self::Pending, Self::Overdue, Self::NeedsAttention, Self::NotAsked];

    /// The word for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Pending => "pending",
            Self::Overdue => "overdue",
            Self::NeedsAttention => "needs_attention",
            Self::NotAsked => "not_asked",
        }
    }

    const fn exit_status(self) -> u8 {
        match self {
            Self::Well | Self::Pending => 0,
            Self::Overdue | Self::NeedsAttention => 1,
            Self::NotAsked => NOT_ASKED,
        }
    }
}

/// A target and what to think of it.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) id: TargetId,
    pub(super) target: &'a Target,
    pub(super) state: &'a TargetState,
    pub(super) verdict: Verdict,
    /// For how long it is pending, where AWS tells.
    pub(super) pending: Option<Duration>,
}

impl Item<'_> {
    /// What to do about it.
    pub(super) fn advice(&self) -> Vec<String> {
        if let Some(failure) = &self.state.failure {
            return vec![advice::of_failure(self.target, failure)];
        }
        let advised = self.state.resources.iter().filter_map(|state| {
            advice::of_state(&state.reading).map(|advice| (state.reading.resource, advice))
        });
        // An account that failed for a part of it is mended there.
        let is_of_a_part = |(resource, _): &(Resource, _)| *resource != Resource::Account;
        let has_part = advised.clone().any(|advised| is_of_a_part(&advised));
        let advised = advised.filter(|advised| !has_part || is_of_a_part(advised));
        let mut texts: Vec<_> = advised.map(|(_, advice)| advice).collect();
        texts.extend((self.verdict == Verdict::NotAsked).then_some(NO_TURN));
        texts.extend((self.verdict == Verdict::Overdue).then_some(OVERDUE));
        texts.into_iter().map(str::to_owned).collect()
    }
}

/// All targets, in the order of the configuration.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
    pub(super) items: Vec<Item<'a>>,
}

impl<'a> Judged<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, bounds: Bounds) -> Self {
        let targets = (0..).map(TargetId).zip(snapshot.fleet.targets.iter().zip(snapshot.targets.iter()));
        let items = targets.map(|(id, (target, state))| {
            let pending = pending(state, bounds.now);
            Item { id, target, state, verdict: verdict(state, pending, bounds.max_pending), pending }
        });
        Self { snapshot, now: bounds.now, items: items.collect() }
    }

    /// 0, 1 or 2: the worst that any target calls for.
    pub(super) fn exit_status(&self) -> u8 {
        let of_targets = self.items.iter().map(|item| item.verdict.exit_status()).max().unwrap_or(0);
        if self.unlisted().next().is_some() { NOT_ASKED } else { of_targets }
    }

    /// The organizations that could not be listed, and why; without a reason where there was no time.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = (&'a Organization, Option<&'a Failure>)> + use<'a> {
        let known = self.snapshot.fleet.organizations.iter().zip(&self.snapshot.organizations);
        let unlisted = known.filter(|(_, state)| state.last_success.is_none());
        unlisted.map(|(organization, state)| (organization, state.failure.as_ref()))
    }

    /// How many targets have each verdict.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Verdict, usize)> {
        let count = |verdict| self.items.iter().filter(|item| item.verdict == verdict).count();
        Verdict::ALL.into_iter().map(move |verdict| (verdict, count(verdict)))
    }
}

fn is_pending(state: &TargetState) -> bool {
    state.resources.iter().any(|resource| resource.reading.status.phase() == Phase::Pending)
}

/// Since when it is pending, AWS does not tell; but it cannot be for less than since its last change.
fn pending(state: &TargetState, now: Timestamp) -> Option<Duration> {
    let since = state.modified_at.or(state.created_at).filter(|_| is_pending(state))?;
    // Clocks differ: what begins in the future has just begun.
    Some(now.duration_since(since).max(SignedDuration::ZERO).unsigned_abs())
}

fn verdict(state: &TargetState, pending: Option<Duration>, max_pending: Duration) -> Verdict {
    if !state.is_up() {
        Verdict::NotAsked
    } else if state.resources.iter().any(|resource| advice::of_state(&resource.reading).is_some()) {
        Verdict::NeedsAttention
    } else if pending.is_some_and(|pending| pending > max_pending) {
        Verdict::Overdue
    } else if is_pending(state) {
        Verdict::Pending
    } else {
        Verdict::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FailureReason, ResourceReading, ResourceState, Status};

    const MINUTE: Duration = Duration::from_secs(60);

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn state(statuses: &[(Resource, Status)], modified_ago: Option<Duration>) -> TargetState {
        let resources = statuses.iter().map(|&(resource, status)| ResourceState {
            reading: ResourceReading::new(resource, status),
            since: now(),
        });
        let modified_at = modified_ago.map(|ago| now() - SignedDuration::try_from(ago).unwrap());
        let state = TargetState::restored(resources.collect(), Some(now()));
        TargetState { last_attempt: Some(now()), modified_at, ..state }
    }

    fn judged(state: &TargetState) -> Verdict {
        verdict(state, pending(state, now()), 30 * MINUTE)
    }

    #[test]
    fn each_state_has_its_verdict() {
        use Resource::{Account, GovCloudAccount, Iam};
        for (statuses, modified_ago, expected) in [
            (vec![(Account, Status::RegistrationSuccess)], Some(MINUTE), Verdict::Well),
            (vec![(GovCloudAccount, Status::NotLinked)], None, Verdict::Well),
            (vec![(Account, Status::RegistrationPending)], Some(30 * MINUTE), Verdict::Pending),
            (vec![(Account, Status::RegistrationPending)], Some(31 * MINUTE), Verdict::Overdue),
            (vec![(GovCloudAccount, Status::PendingActivation)], None, Verdict::Pending),
            (vec![(Account, Status::NotRegistered)], None, Verdict::NeedsAttention),
            (vec![(GovCloudAccount, Status::Suspended)], None, Verdict::NeedsAttention),
            (
                vec![(Account, Status::RegistrationPending), (Iam, Status::RegistrationFailure)],
                Some(31 * MINUTE),
                Verdict::NeedsAttention,
            ),
        ] {
            assert_eq!(judged(&state(&statuses, modified_ago)), expected, "{statuses:?}");
        }
        assert_eq!(judged(&TargetState::default()), Verdict::NotAsked);
        let failure = Some(Box::new(Failure::new(FailureReason::Throttled, "Rate exceeded")));
        let failed = TargetState { failure, ..state(&[(Account, Status::RegistrationSuccess)], None) };
        assert_eq!(judged(&failed), Verdict::NotAsked);
    }

    #[test]
    fn what_could_not_be_asked_outweighs_what_is_not_well() {
        assert!(Verdict::ALL.is_sorted_by_key(|verdict| verdict.exit_status()));
    }
}
