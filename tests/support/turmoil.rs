//! An AWS in which every state becomes another now and then.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use regwatch::model::Region;
use regwatch::sim::{Control, GovCloudState, Registration, RegistrationStatus};
use tokio::time::sleep;

use crate::harness::id;

/// Makes something else of each registration and each GovCloud account of members now and then, for ever: each
/// state lasts for so many milliseconds.
pub(crate) async fn keep_changing(control: Control, members: u64, region: &str, lasts: Range<u64>) {
    let mut random = fastrand::Rng::new();
    // When, whose, what, and which of the states it is in now: at first the one that `member` gives it.
    let mut due: BTreeSet<(Duration, u64, usize, bool)> = BTreeSet::new();
    for number in 1..=members {
        for govcloud in [false, true] {
            due.insert((Duration::from_millis(random.u64(..lasts.end)), number, 0, govcloud));
        }
    }
    while let Some((at, number, state, govcloud)) = due.pop_first() {
        sleep(at.saturating_sub(control.now())).await;
        let count = if govcloud { GOVCLOUD.len() } else { registrations().len() };
        let state = (state + random.usize(1..count)) % count;
        if govcloud {
            control.set_govcloud(id(number), GOVCLOUD[state]);
        } else {
            let registration = registrations().swap_remove(state);
            control.set_registration(id(number), &Region::new(region), Some(registration));
        }
        let at = control.now() + Duration::from_millis(random.u64(lasts.clone()));
        due.insert((at, number, state, govcloud));
    }
}

const GOVCLOUD: [Option<GovCloudState>; 5] = [
    Some(GovCloudState::Active),
    Some(GovCloudState::Suspended),
    Some(GovCloudState::Closed),
    Some(GovCloudState::PendingActivation),
    None,
];

fn registrations() -> Vec<Registration> {
    vec![
        Registration::new(RegistrationStatus::Success),
        Registration::new(RegistrationStatus::Pending),
        Registration::iam_failure("the role is gone"),
        Registration::timestream_failure("the table is gone"),
    ]
}
