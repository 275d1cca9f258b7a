//! Who asked about what, by the simulated AWS's own record.

use std::collections::BTreeMap;
use std::time::Duration;

use regwatch::sim::{Control, Operation};

/// The polls of each target, in the order in which they came: when, and of which replica.
#[derive(Debug, Default)]
pub(super) struct Calls {
    polls: BTreeMap<String, Vec<(Duration, String)>>,
    taken_to: Duration,
}

/// What they tell.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// How many there were.
    pub(super) polls: usize,
    /// How often a target went from one replica to another.
    pub(super) handovers: usize,
    /// Polls of a replica between two of another that was holding the target meanwhile.
    pub(super) doubled: Vec<String>,
    /// The longest that a target was not asked.
    pub(super) longest_gap: Duration,
}

impl Calls {
    /// Takes in what has come since the last time.
    pub(super) fn take(&mut self, control: &Control) {
        // What is on its way now is left for the next time, whole.
        let until = control.now();
        let polls = [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation];
        for call in control.calls() {
            if call.at < self.taken_to || call.at >= until || !polls.contains(&call.operation) {
                continue;
            }
            let Some(account) = call.about else { continue };
            let target = format!("{account}/{:?}", call.operation);
            let app = call.app.as_deref().unwrap_or("nobody").to_owned();
            self.polls.entry(target).or_default().push((call.at, app));
        }
        self.taken_to = until;
    }

    /// A holder that comes back within so short a time has not had the target's lease from anybody: nothing is
    /// handed over and back within a fifth of it.
    pub(super) fn judge(&self, lease: Duration, _interval: Duration) -> Judged {
        let mut judged = Judged::default();
        for (target, polls) in &self.polls {
            judged.polls += polls.len();
            for pair in polls.windows(2) {
                judged.longest_gap = judged.longest_gap.max(pair[1].0 - pair[0].0);
                judged.handovers += usize::from(pair[0].1 != pair[1].1);
            }
            for three in polls.windows(3) {
                let [(from, holder), (at, other), (until, again)] = three else { unreachable!("three") };
                if holder == again && holder != other && *until - *from < lease / 5 {
                    judged.doubled.push(format!("{target} at {at:?} by {other}, while {holder} had it"));
                }
            }
        }
        judged
    }
}
