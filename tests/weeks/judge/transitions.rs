//! How often each change of a target has been seen, as the metrics have to count it.
//!
//! The counters of a target begin anew with the process, and when it comes back: with what usually follows
//! what is known, at 0.

use std::collections::{BTreeMap, HashMap};

use regwatch::model::{Reading, Resource, Status};

use super::changes::differences;
use super::pages::Series;

const FAMILY: &str = "regwatch_transitions_total";

/// The counters of a target; `None` while it is not known what regwatch knew when they began.
#[derive(Debug)]
pub(super) struct Transitions(Option<BTreeMap<(Resource, Status, Status), u64>>);

impl Default for Transitions {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl Transitions {
    /// Those of a target of which nobody can say what is known.
    pub(super) fn unknown() -> Self {
        Self(None)
    }

    /// Those of a target of which this is known.
    pub(super) fn after(known: &Reading) -> Self {
        let mut transitions = Self::default();
        for resource in &known.resources {
            transitions.expect(resource.resource, resource.status);
        }
        transitions
    }

    /// What usually follows is there at 0.
    fn expect(&mut self, resource: Resource, status: Status) {
        let Some(counts) = &mut self.0 else { return };
        for next in status.successors() {
            counts.entry((resource, status, *next)).or_default();
        }
    }

    /// Another answer.
    pub(super) fn take(&mut self, before: Option<&Reading>, now: &Reading) {
        for (resource, _, from, to, _) in differences(before, now) {
            if let (Some(counts), Some(from)) = (&mut self.0, from) {
                *counts.entry((resource, from, to)).or_default() += 1;
            }
            self.expect(resource, to);
        }
    }

    /// What is wrong with a page, on which the target has these labels.
    pub(super) fn judge(&self, labels: &str, page: &Series<'_>, lines: usize, breaches: &mut Vec<String>) {
        let Some(counts) = &self.0 else { return };
        if lines != counts.len() {
            breaches.push(format!(
                "{FAMILY}{{{labels}}} has {lines} series, and not those of {:?}",
                counts.keys()
            ));
        }
        for ((resource, from, to), count) in counts {
            let [resource, from, to] = [resource.as_str(), from.as_str(), to.as_str()];
            let name = format!("{FAMILY}{{{labels},resource=\"{resource}\",from=\"{from}\",to=\"{to}\"}}");
            let found = page.get(name.as_str()).map(|(found, _)| *found);
            if found != Some(*count as f64) {
                breaches.push(format!("{name} is {found:?}, and not {count}"));
            }
        }
    }
}

/// How many series each target has, by its labels.
pub(super) fn lines<'a>(page: &Series<'a>) -> HashMap<&'a str, usize> {
    let mut lines = HashMap::new();
    let of = |name: &&'a str| name.strip_prefix(FAMILY)?.strip_prefix('{')?.split_once(",resource=");
    for (labels, _) in page.keys().filter_map(of) {
        *lines.entry(labels).or_default() += 1;
    }
    lines
}
