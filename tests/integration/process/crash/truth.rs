//! What really happened, and what a receiver was told of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regwatch::sim::{Call, Change, Operation, Outcome};
use serde_json::Value;

use crate::receiver::Request;

/// What the daemon needs from an answer until its event is in the store: 500 times what it usually takes.
const COMMIT: Duration = Duration::from_millis(500);

/// What the simulated AWS and the test know.
pub(super) struct Truth {
    pub(super) changes: Vec<Change>,
    pub(super) calls: Vec<Call>,
    /// When the daemon was killed.
    pub(super) kills: Vec<Duration>,
    /// When the machine stood still: then nobody can say what the daemon was shown in time.
    pub(super) stalls: Vec<Range<Duration>>,
    /// When the simulation began: what its offsets count from.
    pub(super) began: Timestamp,
}

/// How what was told compares with what happened.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Changes that the daemon was shown at a time when it lived long enough to note it.
    pub(super) visible: usize,
    /// Events, repeats not counted.
    pub(super) delivered: usize,
    pub(super) repeated: usize,
    /// Changes that had to be told, and were not.
    pub(super) lost: Vec<String>,
    /// Events that tell of what did not happen, or twice, or in another order.
    pub(super) wrong: Vec<String>,
    /// Resources whose last event does not tell of their last state.
    pub(super) unsettled: usize,
}

/// What a resource was from when on.
type States = Vec<(Duration, &'static str)>;

impl Truth {
    pub(super) fn judge(&self, requests: &[Request]) -> Verdict {
        let mut verdict = Verdict::default();
        let received: Vec<Value> = requests.iter().map(Request::json).collect();
        let told = self.told(&received, &mut verdict);
        let all = self.states();
        for (resource, states) in &all {
            let events = told.get(resource).map_or(&[][..], Vec::as_slice);
            self.compare(resource, states, events, &mut verdict);
        }
        let unknown = told.keys().filter(|resource| !all.contains_key(*resource));
        verdict.wrong.extend(unknown.map(|resource| format!("{resource} never changed")));
        verdict
    }

    /// The events of each resource in the order of their first arrival.
    fn told<'a>(&self, received: &'a [Value], verdict: &mut Verdict) -> BTreeMap<String, Vec<&'a Value>> {
        let mut seen = HashSet::new();
        let mut told: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for event in received {
            if seen.insert(text(&event["id"])) {
                told.entry(text(&event["subject"]).to_owned()).or_default().push(event);
            }
        }
        verdict.delivered = seen.len();
        verdict.repeated = received.len() - seen.len();
        told
    }

    /// What each resource was over time.
    fn states(&self) -> BTreeMap<String, States> {
        let mut states: BTreeMap<String, States> = BTreeMap::new();
        for change in &self.changes {
            let region = change.region.as_ref().map(|region| format!("{region}/"));
            let subject = format!(
                "{}/{}/{}{}",
                change.account,
                if region.is_some() { "fleetwise" } else { "govcloud" },
                region.unwrap_or_default(),
                change.resource.as_str()
            );
            let [from, to] = [change.from, change.to].map(|word| word.unwrap_or("NOT_LINKED"));
            states.entry(subject).or_insert_with(|| vec![(Duration::ZERO, from)]).push((change.at, to));
        }
        states
    }

    fn compare(&self, resource: &str, states: &States, events: &[&Value], verdict: &mut Verdict) {
        let mut told = BTreeSet::new();
        let mut before: Option<(usize, u64)> = None;
        for event in events {
            let data = &event["data"];
            let sequence = data["sequence"].as_u64().expect("a number");
            let Some(state) = self.meant(states, data) else {
                verdict.wrong.push(format!("{resource} was not so: {data}"));
                continue;
            };
            // A modification leads back to where it began, so it may be of a state already told.
            let modified = data["kind"] == "modified";
            if before.is_some_and(|(earlier, s)| {
                s >= sequence || earlier > state || (earlier == state && !modified)
            }) {
                verdict.wrong.push(format!("{resource}, told twice or too late: {data}"));
            }
            let from = before.map(|(earlier, _)| states[earlier].1);
            if data["from"].as_str() != from {
                verdict.wrong.push(format!("{resource} was last told to be {from:?}: {data}"));
            }
            told.insert(state);
            before = Some((state, sequence));
        }
        verdict.unsettled +=
            usize::from(before.is_none_or(|(state, _)| states[state].1 != states[states.len() - 1].1));
        let shown = self.shown(resource);
        for (state, &(at, word)) in states.iter().enumerate().skip(1) {
            let until = states.get(state + 1).map_or(Duration::MAX, |next| next.0);
            if shown.iter().any(|shown| (at..until).contains(shown)) {
                verdict.visible += 1;
                if !told.contains(&state) {
                    verdict.lost.push(format!("{resource} was {word} from {at:?} to {until:?}"));
                }
            }
        }
    }

    /// Which of a resource's states an event means: the one when the call was made that told, or the
    /// next if it changed while the call was on its way.
    fn meant(&self, states: &States, data: &Value) -> Option<usize> {
        let observed: Timestamp = text(&data["observed_at"]).parse().expect("a time");
        let offset = observed.duration_since(self.began);
        let offset = Duration::try_from(offset.max(SignedDuration::ZERO)).expect("not negative");
        let at = states.partition_point(|(begin, _)| *begin <= offset).max(1) - 1;
        (at..states.len().min(at + 2)).find(|&state| states[state].1 == text(&data["to"]))
    }

    /// When the daemon was told how a resource is, and lived on until that was in the store.
    fn shown(&self, resource: &str) -> Vec<Duration> {
        let operation = match resource.contains("/govcloud/") {
            true => Operation::GetGovCloudAccountInformation,
            false => Operation::GetRegisterAccountStatus,
        };
        let about = resource.split('/').next().and_then(|id| id.parse().ok());
        let calls = self.calls.iter().filter(|call| {
            call.operation == operation && call.about == about && call.outcome == Outcome::Accepted
        });
        let lived = |at: &Duration| !self.kills.iter().any(|kill| (*at..*at + COMMIT).contains(kill));
        let went_on = |at: &Duration| {
            !self.stalls.iter().any(|stall| stall.start < *at + COMMIT && stall.end + COMMIT > *at)
        };
        calls.map(|call| call.at).filter(lived).filter(went_on).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
