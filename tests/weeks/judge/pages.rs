//! What the metrics show, against what was last answered.
//!
//! No counter goes back as long as the process lives and the target or scope is watched; no series is there
//! twice; what is shown of a target is what it last told, with how often and when it was asked, and how often
//! it has changed; and [`scopes`](super::scopes) says what is shown of a scope.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use regwatch::model::{Probe, Reading};

use super::super::journal::{Ending, Entry, Journal, Names, Target, Watched};
use super::super::script::Script;
use super::super::settings::Ms;
use super::scopes::Scopes;
use super::transitions::{self, Transitions};

/// How old a page may be: what is new is shown together with what comes within a tenth of a second.
pub(super) const SHOWN_AFTER: Ms = 150;

/// The series of a page, each with whether it may only grow.
pub(super) type Series<'a> = HashMap<&'a str, (f64, bool)>;

/// What is to be shown of a target.
#[derive(Default)]
struct Shown {
    /// What it last told; `None` if that is not known.
    told: Option<usize>,
    /// When it last told something; `None` if it never has.
    told_at: Option<Ms>,
    transitions: Transitions,
    polls: u64,
    is_up: bool,
    attempted: Option<Timestamp>,
    /// The last time that it told something to this process.
    succeeded: Option<Timestamp>,
    stirred: Ms,
}

impl Shown {
    /// What is counted begins anew, with what is known then.
    fn begin_anew(&mut self, told: Option<usize>, reading: impl Fn(usize) -> Reading) {
        let transitions = match told {
            Some(stage) => Transitions::after(&reading(stage)),
            None if self.told_at.is_some() => Transitions::unknown(),
            None => Transitions::default(),
        };
        *self = Self { told, told_at: self.told_at, transitions, ..Self::default() };
    }
}

/// The pages so far.
#[derive(Default)]
pub(crate) struct Pages {
    read: usize,
    watched: Arc<Watched>,
    targets: HashMap<Target, Shown>,
    scopes: Scopes,
    counters: HashMap<String, f64>,
    last_told: Ms,
}

impl Pages {
    /// Reads the journal on.
    fn read(
        &mut self,
        script: &Script,
        journal: &Journal,
        names: &Names,
        reading: &dyn Fn(Target, usize) -> Reading,
    ) {
        for (now, entry) in &journal.entries[self.read..] {
            self.scopes.take(*now, entry, names);
            match entry {
                Entry::Begun(watched) => {
                    self.watched = Arc::clone(watched);
                    self.counters.clear();
                }
                Entry::Reloaded(watched) => {
                    let before = std::mem::replace(&mut self.watched, Arc::clone(watched));
                    for target in before.targets.keys().filter(|target| !watched.targets.contains_key(target))
                    {
                        if let Some(shown) = self.targets.get_mut(target) {
                            // What was told in this very moment may not have been heard any more.
                            let told = shown.told.filter(|_| shown.told_at < Some(*now));
                            shown.begin_anew(told, |stage| reading(*target, stage));
                        }
                    }
                }
                Entry::Ended { killed } => {
                    for (target, shown) in &mut self.targets {
                        let is_kept = |at: Ms| !script.may_be_lost(at, *now, *killed);
                        let told = shown.told.filter(|_| shown.told_at.is_some_and(is_kept));
                        shown.begin_anew(told, |stage| reading(*target, stage));
                    }
                }
                // What is late about one that has gone is not heard.
                Entry::TurnedAway(target, ..) | Entry::Answered(target, ..)
                    if !self.watched.targets.contains_key(target) => {}
                Entry::TurnedAway(target, _, at) => self.attempted(*now, *target, None, *at, reading),
                Entry::Answered(target, _, ending, at) => {
                    self.attempted(*now, *target, Some(*ending), *at, reading);
                }
                _ => {}
            }
        }
        self.read = journal.entries.len();
    }

    fn attempted(
        &mut self,
        now: Ms,
        target: Target,
        ending: Option<Ending>,
        at: Timestamp,
        reading: &dyn Fn(Target, usize) -> Reading,
    ) {
        let shown = self.targets.entry(target).or_default();
        shown.polls += 1;
        shown.is_up = false;
        shown.attempted = Some(at);
        shown.stirred = now;
        if let Some(Ending::Told(stage)) = ending {
            self.last_told = now;
            let before = shown.told.map(|stage| reading(target, stage));
            shown.transitions.take(before.as_ref(), &reading(target, stage));
            *shown = Shown {
                told: Some(stage),
                told_at: Some(now),
                is_up: true,
                succeeded: Some(at),
                ..std::mem::take(shown)
            };
        }
    }

    /// What is wrong with a page of now.
    pub(crate) fn judge(
        &mut self,
        script: &Script,
        journal: &Journal,
        names: &Names,
        (now, wall): (Ms, Timestamp),
        reading: &dyn Fn(Target, usize) -> Reading,
        page: &str,
    ) -> Vec<String> {
        self.read(script, journal, names, reading);
        let mut breaches = Vec::new();
        let series = series(page, &mut breaches);
        let counters: HashMap<_, _> = series
            .iter()
            .filter(|(name, (_, is_counter))| *is_counter && !name.starts_with("process_"))
            .map(|(name, (value, _))| ((*name).to_owned(), *value))
            .collect();
        for (name, was) in &self.counters {
            if let Some(is) = counters.get(name).filter(|is| *is < was && !self.scopes.may_begin_anew(name)) {
                breaches.push(format!("{name} went back from {was} to {is}"));
            }
        }
        self.counters = counters;
        self.scopes.judge(now, names, &series, &mut breaches);
        let lines = transitions::lines(&series);
        let expect = |name: String, wanted: f64, breaches: &mut Vec<String>| {
            let found = series.get(name.as_str()).map(|(value, _)| *value);
            if found != Some(wanted) {
                breaches.push(format!("{name} is {found:?}, and not {wanted}"));
            }
        };
        if now > script.durable_by(self.last_told) {
            expect("regwatch_store_pending_events".to_owned(), 0.0, &mut breaches);
        }
        for (target, (_, times)) in &self.watched.targets {
            let Some(shown) = self.targets.get(target) else { continue };
            if now < shown.stirred + SHOWN_AFTER {
                continue;
            }
            let key = &names.targets[*target];
            let region = key.region.as_ref().map_or("", |region| region.as_str());
            let labels = format!(
                "probe=\"{}\",aws_account_id=\"{}\",aws_region=\"{region}\"",
                key.probe.as_str(),
                key.account
            );
            let count = lines.get(labels.as_str()).copied().unwrap_or_default();
            shown.transitions.judge(&labels, &series, count, &mut breaches);
            let labels = format!("{{{labels}}}");
            // As the page has them.
            let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1000.0;
            expect(format!("regwatch_polls_total{labels}"), shown.polls as f64, &mut breaches);
            expect(format!("regwatch_target_up{labels}"), f64::from(u8::from(shown.is_up)), &mut breaches);
            expect(
                format!("regwatch_target_last_attempt_timestamp_seconds{labels}"),
                shown.attempted.map_or(0.0, seconds),
                &mut breaches,
            );
            if let Some(succeeded) = shown.succeeded {
                let is_stale = wall.duration_since(succeeded).as_millis() >= i128::from(times.stale_after);
                expect(
                    format!("regwatch_target_stale{labels}"),
                    f64::from(u8::from(is_stale)),
                    &mut breaches,
                );
                expect(
                    format!("regwatch_target_last_success_timestamp_seconds{labels}"),
                    seconds(succeeded),
                    &mut breaches,
                );
            }
            let Some(told) = shown.told else { continue };
            for resource in &reading(*target, told).resources {
                for status in resource.resource.statuses() {
                    let name = match key.probe {
                        Probe::FleetWise => format!(
                            "aws_fleetwise_registration_status{{aws_account_id=\"{}\",aws_region=\"{region}\",resource=\"{}\",status=\"{}\"}}",
                            key.account,
                            resource.resource.as_str(),
                            status.as_str()
                        ),
                        Probe::GovCloud => format!(
                            "aws_govcloud_account_state{{aws_account_id=\"{}\",state=\"{}\"}}",
                            key.account,
                            status.as_str()
                        ),
                    };
                    expect(name, f64::from(u8::from(*status == resource.status)), &mut breaches);
                }
            }
        }
        breaches.truncate(20);
        breaches.iter_mut().for_each(|breach| breach.insert_str(0, &format!("at {now} ms: ")));
        breaches
    }
}

fn series<'a>(page: &'a str, breaches: &mut Vec<String>) -> Series<'a> {
    let mut series = HashMap::new();
    let mut is_counter = false;
    for line in page.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            is_counter = of.ends_with(" counter") || of.ends_with(" histogram");
        } else if !line.starts_with('#')
            && let Some((name, value)) = line.rsplit_once(' ')
        {
            let value = value.parse().expect("a number");
            if series.insert(name, (value, is_counter)).is_some() {
                breaches.push(format!("{name} is there twice"));
            }
        }
    }
    series
}
