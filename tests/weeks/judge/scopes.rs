//! What the metrics show of the quota scopes, against what AWS answered in them.
//!
//! Scopes of the same account, service and region are shown as one: their rates and counts summed, and the
//! later end of a back-off. How many calls were throttled is counted for as long as one of them is watched,
//! whichever comes and goes.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use regwatch::model::{AccountId, Service};

use super::super::journal::{Ending, Entry, Names, Scope, Target, Watched};
use super::super::settings::Ms;
use super::gate::Gate;
use super::pages::{SHOWN_AFTER, Series};

/// What a first throttle leaves of a rate, at most.
const FALL: f64 = 0.95;

/// What scopes are told apart by.
type Labels = (Service, AccountId, &'static str);

#[derive(Default)]
struct Lane {
    gate: Gate,
    /// Who is called for: how often the gate had closed by then, and when.
    called: HashMap<Target, (u32, Ms)>,
    limit: f64,
    /// The highest that the rate may have fallen to, while it does not rise.
    fallen: Option<f64>,
    was_throttled: bool,
    /// When the gate opens, by regwatch's clock; `None` while it is open. As it was last reported.
    backoff: Option<(Timestamp, Timestamp)>,
    stirred: Ms,
}

#[derive(Default)]
pub(super) struct Scopes {
    lanes: BTreeMap<Scope, Lane>,
    wanted: HashMap<Scope, f64>,
    throttled: BTreeMap<Labels, u64>,
    /// What was counted for labels whose scopes have all been replaced. What comes in their place may not
    /// have had its labels in time to go on with it.
    replaced: HashMap<Labels, u64>,
}

/// The series of a family for a scope.
pub(super) fn name_of(family: &str, (service, account, region): Labels) -> String {
    format!(
        "regwatch_scope_{family}{{service=\"{}\",caller_account_id=\"{account}\",aws_region=\"{region}\"}}",
        service.as_str()
    )
}

impl Scopes {
    /// Reads the journal on.
    pub(super) fn take(&mut self, now: Ms, entry: &Entry, names: &Names) {
        match entry {
            Entry::Begun(watched) => {
                *self = Self::default();
                self.watch(now, watched, names);
            }
            Entry::Reloaded(watched) => self.watch(now, watched, names),
            Entry::Called(target, scope) => {
                if let Some(lane) = self.lanes.get_mut(scope) {
                    lane.called.insert(*target, (lane.gate.call(*target), now));
                }
            }
            Entry::Dropped(target, scope) => {
                if let Some(lane) = self.lanes.get_mut(scope)
                    && let Some((closings, _)) = lane.called.remove(target)
                {
                    lane.gate.finish(now, *target, closings, Ending::Lost);
                }
            }
            Entry::TurnedAway(_, scope, at) => {
                if let Some(lane) = self.lanes.get_mut(scope) {
                    lane.report(now, *at);
                }
            }
            Entry::Answered(target, scope, ending, at) => {
                let Some(lane) = self.lanes.get_mut(scope) else { return };
                let Some((closings, called)) = lane.called.remove(target) else { return };
                lane.gate.finish(now, *target, closings, *ending);
                if let Ending::Throttled(_) = ending {
                    *self.throttled.entry(names.scopes[*scope].counted_as()).or_default() += 1;
                    lane.was_throttled = true;
                }
                lane.report(now, *at + SignedDuration::from_millis((now - called) as i64));
            }
            _ => {}
        }
    }

    fn watch(&mut self, now: Ms, watched: &Watched, names: &Names) {
        let labels = |scope: &Scope| names.scopes[*scope].counted_as();
        self.lanes.retain(|scope, _| watched.limits.contains_key(scope));
        let stayed: Vec<_> = self.lanes.keys().map(labels).collect();
        let wanted: Vec<_> = watched.limits.keys().map(labels).collect();
        self.throttled.retain(|labels, _| wanted.contains(labels));
        self.replaced.retain(|labels, _| wanted.contains(labels));
        for (labels, count) in self.throttled.iter().filter(|(labels, _)| !stayed.contains(labels)) {
            self.replaced.insert(*labels, *count);
        }
        for (&scope, &limit) in &watched.limits {
            self.throttled.entry(labels(&scope)).or_default();
            let lane = self.lanes.entry(scope).or_default();
            lane.limit = limit;
            lane.stirred = now;
        }
        self.wanted.clear();
        for (scope, times) in watched.targets.values() {
            *self.wanted.entry(*scope).or_default() += 1000.0 / times.interval as f64;
        }
    }

    /// Whether a counter may begin anew.
    pub(super) fn may_begin_anew(&self, name: &str) -> bool {
        self.replaced.keys().any(|labels| name_of("throttled_total", *labels) == name)
    }

    /// What is wrong with a page of now.
    pub(super) fn judge(&mut self, now: Ms, names: &Names, page: &Series<'_>, breaches: &mut Vec<String>) {
        let mut rows: BTreeMap<Labels, Vec<Scope>> = BTreeMap::new();
        for scope in self.lanes.keys() {
            rows.entry(names.scopes[*scope].counted_as()).or_default().push(*scope);
        }
        for (labels, scopes) in rows {
            let lanes: Vec<_> = scopes.iter().map(|scope| &self.lanes[scope]).collect();
            if lanes.iter().any(|lane| now < lane.stirred + SHOWN_AFTER) {
                continue;
            }
            let mut expect = |family: &str, from: f64, to: f64| {
                let name = name_of(family, labels);
                let found = page.get(name.as_str()).map(|(value, _)| *value);
                if !found.is_some_and(|found| (from..=to).contains(&found)) {
                    breaches.push(format!("{name} is {found:?}, and not {from} to {to}"));
                }
                found
            };
            let wanted: f64 = scopes.iter().filter_map(|scope| self.wanted.get(scope)).sum();
            expect("wanted_requests_per_second", wanted * (1.0 - 1e-9), wanted * (1.0 + 1e-9));
            let most: f64 = lanes.iter().map(|lane| lane.fallen.unwrap_or(lane.limit).min(lane.limit)).sum();
            let unlearnt = lanes.iter().filter(|lane| !lane.was_throttled).map(|lane| lane.limit);
            let unlearnt = unlearnt.fold(0.0, std::ops::Add::add);
            expect("allowed_requests_per_second", unlearnt * (1.0 - 1e-9), most * (1.0 + 1e-9));
            let backoff = lanes.iter().filter_map(|lane| lane.backoff);
            let backoff = backoff.reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)));
            let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1000.0;
            // Times are counted in milliseconds, each cut off.
            let (from, to) =
                backoff.map_or((0.0, 0.0), |(from, to)| (seconds(from) - 0.02, seconds(to) + 0.02));
            expect("backoff_until_timestamp_seconds", from, to);
            let count = self.throttled.get_mut(&labels).expect("it is there for all that is watched");
            let is_anew = self.replaced.remove(&labels).is_some_and(|before| {
                let anew = (*count - before) as f64;
                page.get(name_of("throttled_total", labels).as_str()).is_some_and(|(found, _)| *found == anew)
                    && std::mem::replace(count, *count - before) > 0
            });
            if !is_anew {
                expect("throttled_total", *count as f64, *count as f64);
            }
        }
    }
}

impl Lane {
    /// The tracker hears how the scope is paced, at a time of regwatch's clock.
    fn report(&mut self, now: Ms, wall: Timestamp) {
        self.stirred = now;
        let at = |ms: Ms| wall + SignedDuration::from_millis(ms as i64 - now as i64);
        self.backoff = self.gate.is_closed.then(|| (at(self.gate.opens.0), at(self.gate.opens.1)));
        let fallen = self.fallen.unwrap_or(self.limit * FALL);
        self.fallen = self.gate.is_backing_off().then_some(fallen);
    }
}
