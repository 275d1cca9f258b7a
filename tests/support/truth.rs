//! What really happened, and what a receiver was told of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regwatch::sim::Change;
use serde_json::Value;

use crate::page::Page;
use crate::receiver::Request;

/// What the daemon showed while nothing waited for its store: no kill may take that away. Of each resource,
/// when the call was made that told, and the word for its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(BTreeMap<String, BTreeSet<(Timestamp, String)>>);

impl Shown {
    /// Takes in a page. What waits is counted before it is shown, and is the last thing to be written: where
    /// nothing waits, all that stands above is in the store.
    pub(crate) fn take(&mut self, page: &Page) {
        if page.value("regwatch_store_pending_events") != Some(0.0) {
            return;
        }
        let answered: BTreeMap<_, _> = series(page, "regwatch_target_last_success_timestamp_seconds")
            .map(|(labels, value)| ((labels["probe"], labels["aws_account_id"]), timestamp(value)))
            .collect();
        for (labels, value) in series(page, "aws_fleetwise_registration_status") {
            let [account, region] = [labels["aws_account_id"], labels["aws_region"]];
            if value == "1" {
                let resource = format!("{account}/fleetwise/{region}/{}", labels["resource"]);
                self.add(resource, answered[&("fleetwise", account)], labels["status"]);
            }
        }
        for (labels, value) in series(page, "aws_govcloud_account_state") {
            let account = labels["aws_account_id"];
            if value == "1" {
                let resource = format!("{account}/govcloud/govcloud_account");
                self.add(resource, answered[&("govcloud", account)], labels["state"]);
            }
        }
    }

    fn add(&mut self, resource: String, observed: Timestamp, word: &str) {
        self.0.entry(resource).or_default().insert((observed, word.to_owned()));
    }
}

/// The labels and the values of a family, none of which has a comma in it.
fn series<'a>(
    page: &'a Page,
    family: &'a str,
) -> impl Iterator<Item = (BTreeMap<&'a str, &'a str>, &'a str)> {
    page.0.lines().filter_map(move |line| {
        let (labels, value) = line.strip_prefix(family)?.strip_prefix('{')?.rsplit_once("} ")?;
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        Some((pairs.map(|(key, value)| (key, value.trim_matches('"'))).collect(), value))
    })
}

fn timestamp(seconds: &str) -> Timestamp {
    let seconds: f64 = seconds.parse().expect("a number");
    Timestamp::UNIX_EPOCH + SignedDuration::try_from_secs_f64(seconds).expect("a time")
}

/// What the simulated AWS and the test know.
pub(crate) struct Truth {
    pub(crate) changes: Vec<Change>,
    pub(crate) shown: Shown,
    /// When the simulation began: what its offsets count from.
    pub(crate) began: Timestamp,
}

/// How what was told compares with what happened.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// States that the daemon showed when they were in its store.
    pub(crate) visible: usize,
    /// Events, repeats not counted.
    pub(crate) delivered: usize,
    pub(crate) repeated: usize,
    /// States that had to be told, and were not.
    pub(crate) lost: Vec<String>,
    /// What was shown or told and did not happen, or was told twice, or in another order.
    pub(crate) wrong: Vec<String>,
    /// Resources whose last event does not tell of their last state.
    pub(crate) unsettled: usize,
}

/// What a resource was from when on.
type States = Vec<(Duration, &'static str)>;

impl Truth {
    pub(crate) fn judge(&self, requests: &[Request]) -> Verdict {
        let mut verdict = Verdict::default();
        let received: Vec<Value> = requests.iter().map(Request::json).collect();
        let told = self.told(&received, &mut verdict);
        let all = self.states();
        for (resource, states) in &all {
            let events = told.get(resource).map_or(&[][..], Vec::as_slice);
            self.compare(resource, states, events, &mut verdict);
        }
        let is_change = |events: &[&Value]| events.iter().any(|event| event["data"]["kind"] != "first_seen");
        let unknown =
            told.iter().filter(|(resource, events)| !all.contains_key(*resource) && is_change(events));
        verdict.wrong.extend(unknown.map(|(resource, _)| format!("{resource} never changed")));
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
            let observed = text(&data["observed_at"]).parse().expect("a time");
            let Some(state) = self.meant(states, observed, text(&data["to"])) else {
                verdict.wrong.push(format!("{resource} was not so: {data}"));
                continue;
            };
            // A modification leads back to where it began, so it may be of a state already told.
            let modified = data["kind"] == "modified";
            if before.is_some_and(|(earlier, s)| {
                s >= sequence || earlier > state || (earlier == state && !modified)
            }) {
                verdict.wrong.push(format!("{resource}, told twice or too late: {data}; {}", course(events)));
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
        let mut shown = BTreeSet::new();
        for (observed, word) in self.shown.0.get(resource).into_iter().flatten() {
            match self.meant(states, *observed, word) {
                Some(state) => drop(shown.insert(state)),
                None => verdict.wrong.push(format!("{resource} was shown as {word}, asked at {observed}")),
            }
        }
        verdict.visible += shown.len();
        // Who was not there while it was otherwise sees no change when it is again what was told last.
        let was_told = |&state: &usize| {
            told.range(..=state).last().is_some_and(|&latest| states[latest].1 == states[state].1)
        };
        verdict.lost.extend(shown.into_iter().filter(|state| !was_told(state)).map(|state| {
            let (at, word) = states[state];
            format!("{resource} was {word} from {at:?} on")
        }));
    }

    /// Which of a resource's states is meant by a word: the one when the call was made that told, or the
    /// next if it changed while the call was on its way.
    fn meant(&self, states: &States, observed: Timestamp, word: &str) -> Option<usize> {
        let offset = observed.duration_since(self.began);
        let offset = Duration::try_from(offset.max(SignedDuration::ZERO)).expect("not negative");
        let at = states.partition_point(|(begin, _)| *begin <= offset).max(1) - 1;
        (at..states.len().min(at + 2)).find(|&state| states[state].1 == word)
    }
}

/// What was told of a resource, in a line.
fn course(events: &[&Value]) -> String {
    let event = |event: &&Value| {
        let data = &event["data"];
        format!("{} {} {} {}", data["sequence"], data["kind"], data["to"], data["observed_at"])
    };
    events.iter().map(event).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
