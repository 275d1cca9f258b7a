//! Who asked about what, by the simulated AWS's own record.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use regwatch::sim::{Control, Operation};

use super::replica::Fault;
use super::tenures::{ON_ITS_WAY, Tenures};
use crate::stall::Stalls;

/// Over how long it is looked how fast a scope was asked.
const WINDOW: Duration = Duration::from_secs(5);

/// The polls of each target, in the order in which they came: when, and of which replica.
#[derive(Debug, Default)]
pub(super) struct Calls {
    polls: BTreeMap<(String, Operation), Vec<Poll>>,
    taken_to: Duration,
}

#[derive(Clone, Debug)]
struct Poll {
    at: Duration,
    by: String,
}

/// Something that has happened, from when to when.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) fault: Fault,
    /// To which replica.
    pub(super) victim: String,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Happened {
    /// Whether nobody could have held anything meanwhile.
    fn is_database_away(&self) -> bool {
        self.fault == Fault::Restart
    }

    /// Whether a replica was stopped and has just woken up; it may be some time before the test knows.
    fn has_woken(&self, name: &str, at: Duration) -> bool {
        self.fault == Fault::Stop && self.victim == name && at.abs_diff(self.to) < ON_ITS_WAY
    }
}

/// What the polls tell.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// How many there were.
    pub(super) polls: usize,
    /// How often a target went from one replica to another.
    pub(super) handovers: usize,
    /// Polls of a replica that did not hold the target.
    pub(super) unheld: Vec<String>,
    /// Polls that were on their way when their replica was stopped, and arrived when it was woken: nobody can look
    /// at the time and send a request in one step.
    pub(super) woken: usize,
    /// The longest time without a poll of any target, without that for which the database was away or the machine
    /// stood still.
    pub(super) longest: Gap,
    /// The longest of those in which one thing has happened at most.
    pub(super) longest_of_one: Gap,
}

/// A time without a poll of a target.
#[derive(Clone, Debug, Default)]
pub(super) struct Gap {
    pub(super) length: Duration,
    /// What has happened to replicas meanwhile.
    pub(super) faults: Vec<String>,
    pub(super) target: String,
    pub(super) from: Duration,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} {:.1?} to {:.1?}", self.fault, self.victim, self.from, self.to)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, faults, target, from } = self;
        write!(f, "{length:.1?} from {from:.1?} on of {target}: {}", faults.join(", "))
    }
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
            let by = call.app.as_deref().unwrap_or("nobody").to_owned();
            let target = (account.to_string(), call.operation);
            self.polls.entry(target).or_default().push(Poll { at: call.at, by });
        }
        self.taken_to = until;
    }

    /// `lease` tells which lease a target is under.
    pub(super) fn judge(
        &self,
        began: Timestamp,
        tenures: &Tenures,
        happened: &[Happened],
        stalls: &Stalls,
        lease: impl Fn(&str, Operation) -> String,
    ) -> Judged {
        let mut judged = Judged::default();
        for ((account, operation), polls) in &self.polls {
            let lease = lease(account, *operation);
            judged.polls += polls.len();
            for Poll { at, by } in polls {
                if tenures.allow(&lease, by, began + *at) {
                    continue;
                }
                let stopped = happened.iter().find(|one| one.has_woken(by, *at));
                if stopped.is_some_and(|one| tenures.allow(&lease, by, began + one.from)) {
                    judged.woken += 1;
                } else {
                    judged.unheld.push(format!("{account}/{operation:?} of {lease} at {at:?} by {by}"));
                }
            }
            for pair in polls.windows(2) {
                judged.handovers += usize::from(pair[0].by != pair[1].by);
            }
            let times = polls.iter().map(|poll| poll.at).chain([self.taken_to]);
            let times: Vec<_> = times.collect();
            let target = format!("{account}/{operation:?}");
            for pair in times.windows(2) {
                let gap = gap(&target, pair[0]..pair[1], happened, stalls);
                if gap.faults.len() <= 1 && gap.length > judged.longest_of_one.length {
                    judged.longest_of_one = gap.clone();
                }
                if gap.length > judged.longest.length {
                    judged.longest = gap;
                }
            }
        }
        judged
    }

    /// Who has asked about an account, in a line.
    pub(super) fn course(&self, account: &str, operation: Operation) -> String {
        let polls = self.polls.get(&(account.to_owned(), operation)).into_iter().flatten();
        polls.map(|Poll { at, by }| format!("{by} at {:.2}", at.as_secs_f64())).collect::<Vec<_>>().join("; ")
    }

    /// The most calls a second over some seconds, of an operation.
    pub(super) fn fastest(&self, operation: Operation) -> f64 {
        let of = self.polls.iter().filter(|((_, other), _)| *other == operation);
        let mut times: Vec<_> = of.flat_map(|(_, polls)| polls.iter().map(|poll| poll.at)).collect();
        times.sort_unstable();
        let most = times
            .iter()
            .enumerate()
            .map(|(first, from)| times.partition_point(|at| *at < *from + WINDOW) - first);
        most.max().unwrap_or_default() as f64 / WINDOW.as_secs_f64()
    }
}

fn gap(target: &str, period: Range<Duration>, happened: &[Happened], stalls: &Stalls) -> Gap {
    let Range { start, end } = period;
    let within: Vec<_> = happened.iter().filter(|one| one.from < end && one.to > start).collect();
    let away = within.iter().filter(|one| one.is_database_away());
    let away: Duration = away.map(|one| one.to.min(end) - one.from.max(start)).sum();
    Gap {
        length: (end - start).saturating_sub(away + stalls.within(&period)),
        faults: within.iter().map(ToString::to_string).collect(),
        target: target.to_owned(),
        from: start,
    }
}
