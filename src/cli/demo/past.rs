//! The week that the demo's accounts have behind them: made up, so that there is a past to look at.
//!
//! It ends in the states that the simulated AWS begins with, as if regwatch had just been restarted.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Details, Event, Fleet, Probe, Region, Resource, ResourceReading, ResourceState, Status, Target,
    Transition, TransitionKind,
};
use crate::store::{Batch, Ledger, SavedState, Silence, Store, StoreError, TargetKey};

use Status::{
    Active, Closed, NotLinked, NotRegistered, PendingActivation, RegistrationFailure, RegistrationPending,
    RegistrationSuccess, Suspended,
};

/// From how many minutes ago on a target was in which state.
type Steps = &'static [(i64, Status)];

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// What became of some: the account's name, and the region for a registration.
const PAST: [(&str, Option<&str>, Steps); 11] = [
    ("org-management", None, &[(190 * DAY, Active)]),
    ("fleet-prod-us", None, &[(190 * DAY, Active)]),
    (
        "fleet-prod-us",
        Some("us-east-1"),
        &[
            (190 * DAY, RegistrationSuccess),
            (78 * HOUR, RegistrationFailure),
            (67 * HOUR, RegistrationPending),
            (67 * HOUR - 6, RegistrationSuccess),
        ],
    ),
    (
        "fleet-prod-in",
        Some("ap-south-1"),
        &[(5 * DAY, RegistrationPending), (5 * DAY - 7, RegistrationSuccess)],
    ),
    (
        "fleet-stage-us",
        Some("us-east-1"),
        &[(30 * DAY, RegistrationSuccess), (28 * HOUR, RegistrationFailure), (3, RegistrationPending)],
    ),
    ("fleet-stage-eu", Some("eu-central-1"), &[(30 * DAY, NotRegistered), (4, RegistrationPending)]),
    ("telematics-prod", Some("eu-central-1"), &[(30 * DAY, NotRegistered)]),
    (
        "connected-services",
        Some("us-east-1"),
        &[(11 * HOUR, RegistrationPending), (11 * HOUR - 5, RegistrationSuccess)],
    ),
    ("diagnostics-lab", Some("us-east-1"), &[(30 * DAY, NotRegistered)]),
    ("defense-programs", None, &[(30 * DAY, NotLinked), (3 * HOUR, PendingActivation)]),
    ("defense-archive", None, &[(190 * DAY, Active), (4 * DAY, Suspended), (2 * DAY, Closed)]),
];

/// Of the others.
const REGISTERED: Steps = &[(30 * DAY, RegistrationSuccess)];
const NOT_LINKED: Steps = &[(30 * DAY, NotLinked)];

/// The account that was silent for a while: from and until how many minutes ago.
const SILENT: (&str, i64, i64) = ("fleet-prod-eu", 17 * HOUR, 13 * HOUR);

/// The account of which FleetWise never told anything, since it denies the call.
const NEVER_HEARD: &str = "telematics-test";

/// The account that has no Timestream table.
const WITHOUT_TABLE: &str = "fleet-prod-in";

/// How long ago every target last answered: less than it takes to be stale.
const LAST_ANSWER: SignedDuration = SignedDuration::from_secs(3);

/// Writes the past of a fleet into a store.
///
/// # Errors
/// If the store cannot be written.
pub(super) async fn invent(store: &Store, fleet: &Fleet, now: Timestamp) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for target in &fleet.targets {
        let name = &*target.account.name;
        if name == NEVER_HEARD && target.probe == Probe::FleetWise {
            continue;
        }
        let mut states = Vec::new();
        for resource in resources(target) {
            let steps = past_of(target, resource, now);
            batch.events.extend(steps.windows(2).map(|pair| event(target, resource, pair[0], pair[1])));
            let (since, status) = *steps.last().expect("each has a state");
            states.push(ResourceState { reading: ResourceReading::new(resource, status), since });
        }
        let state = SavedState {
            resources: states,
            details: Details::None,
            created_at: None,
            modified_at: None,
            last_success: Some(now - LAST_ANSWER),
        };
        batch.states.push((TargetKey::from(target), state));
        if name == SILENT.0 {
            let [from, until] = [SILENT.1, SILENT.2].map(|minutes| ago(minutes, now));
            batch.silences.push(Silence { target: target.into(), from, until });
        }
    }
    batch.events.sort_by_key(|event| event.transition.observed_at);
    store.commit(Arc::new(vec![batch])).await?;
    Ok(())
}

fn ago(minutes: i64, now: Timestamp) -> Timestamp {
    now - SignedDuration::from_mins(minutes)
}

fn steps(target: &Target) -> Steps {
    let region = target.region.as_ref().map(Region::as_str);
    let told = PAST.iter().find(|(name, at, _)| *name == &*target.account.name && *at == region);
    match (told, target.probe) {
        (Some((.., steps)), _) => steps,
        (None, Probe::FleetWise) => REGISTERED,
        (None, Probe::GovCloud) => NOT_LINKED,
    }
}

/// What has a state now.
fn resources(target: &Target) -> Vec<Resource> {
    let is_registered = steps(target).last().is_some_and(|(_, status)| *status != NotRegistered);
    let of_probe = target.probe.resources().iter().copied();
    of_probe
        .filter(|resource| match resource {
            Resource::Account | Resource::GovCloudAccount => true,
            Resource::Iam => is_registered,
            Resource::Timestream => is_registered && *target.account.name != *WITHOUT_TABLE,
        })
        .collect()
}

/// From when on a resource was in which state: what failed was the role, never the table, and there was
/// neither before there was a registration.
fn past_of(target: &Target, resource: Resource, now: Timestamp) -> Vec<(Timestamp, Status)> {
    let was = |status: Status| match resource {
        Resource::Account | Resource::GovCloudAccount => true,
        Resource::Iam => status != NotRegistered,
        Resource::Timestream => status != NotRegistered && status != RegistrationFailure,
    };
    let steps = steps(target).iter().filter(|(_, status)| was(*status));
    steps.map(|&(minutes, status)| (ago(minutes, now), status)).collect()
}

fn event(
    target: &Target,
    resource: Resource,
    (since, from): (Timestamp, Status),
    (observed_at, to): (Timestamp, Status),
) -> Event {
    let says_why = to == RegistrationFailure && resource == Resource::Iam;
    let transition = Transition {
        kind: TransitionKind::Changed,
        resource,
        from: Some(from),
        to,
        text: None,
        error_message: says_why.then(|| "The role's trust policy was changed.".into()),
        previous_since: Some(since),
        observed_at,
        aws_modified_at: None,
    };
    Event::new(target, transition, &Details::None)
}
