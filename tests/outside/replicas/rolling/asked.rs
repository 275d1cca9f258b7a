//! For how long each target was not asked, by the simulated AWS's own record.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use regwatch::model::AccountId;
use regwatch::sim::Control;

use super::POLLS;

/// When each target was asked last, and by whom.
#[derive(Debug)]
pub(super) struct Asked {
    last: BTreeMap<(AccountId, usize), (Duration, Box<str>)>,
    began: Duration,
    taken_to: Duration,
    pub(super) polls: usize,
    /// The longest that any target was not asked.
    pub(super) longest: Gap,
}

/// A time in which a target was not asked.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub(super) length: Duration,
    whose: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1?} of {}", self.length, self.whose)
    }
}

impl Asked {
    /// Looks from then on.
    pub(super) fn since(began: Duration) -> Self {
        Self { last: BTreeMap::new(), began, taken_to: began, polls: 0, longest: Gap::default() }
    }

    /// How many targets have been asked.
    pub(super) fn targets(&self) -> usize {
        self.last.len()
    }

    /// Takes in what has come since the last time.
    pub(super) fn take(&mut self, control: &Control) {
        // What is on its way now is left for the next time, whole.
        let until = control.now();
        for call in control.calls() {
            let what = POLLS.iter().position(|operation| *operation == call.operation);
            let (Some(what), Some(account)) = (what, call.about) else { continue };
            if call.at < self.taken_to || call.at >= until {
                continue;
            }
            let by = call.app.unwrap_or_default();
            let before = self.last.insert((account, what), (call.at, by.clone()));
            let (at, before) = before.unwrap_or_else(|| (self.began, "nobody yet".into()));
            self.polls += 1;
            let length = call.at - at;
            if length > self.longest.length {
                let operation = POLLS[what];
                let whose =
                    format!("{operation:?} about {account} from {at:.1?} on, by {before} and then {by}");
                self.longest = Gap { length, whose };
            }
        }
        self.taken_to = until;
    }
}
