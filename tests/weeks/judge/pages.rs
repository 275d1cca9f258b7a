//! What the metrics show, against what was last answered.
//!
//! No counter goes back as long as the process lives and the target or scope is watched; no series is there
//! twice; and what is shown of a target is what it last told, with how often and when it was asked.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use regwatch::model::{Probe, Reading};

use super::super::journal::{Ending, Entry, Journal, Names, Target, Watched};
use super::super::script::Script;
use super::super::settings::Ms;

/// How old a page may be: what is new is shown together with what comes within a tenth of a second.
const SHOWN_AFTER: Ms = 150;

/// What is to be shown of a target.
#[derive(Default)]
struct Shown {
    /// What it last told; `None` if that is not known.
    told: Option<usize>,
    /// When it told that.
    told_at: Ms,
    polls: u64,
    is_up: bool,
    attempted: Option<Timestamp>,
    /// The last time that it told something to this process.
    succeeded: Option<Timestamp>,
    stirred: Ms,
}

/// The pages so far.
#[derive(Default)]
pub(crate) struct Pages {
    read: usize,
    watched: Arc<Watched>,
    targets: HashMap<Target, Shown>,
    counters: HashMap<String, f64>,
    last_told: Ms,
}

impl Pages {
    /// Reads the journal on.
    fn read(&mut self, script: &Script, journal: &Journal) {
        for (now, entry) in &journal.entries[self.read..] {
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
                            let told = shown.told.filter(|_| shown.told_at < *now);
                            *shown = Shown { told, told_at: shown.told_at, ..Shown::default() };
                        }
                    }
                }
                Entry::Ended { killed } => {
                    for shown in self.targets.values_mut() {
                        let at = shown.told_at;
                        let is_lost = if *killed {
                            *now < script.durable_by(at)
                        } else {
                            script.was_in_trouble(at, *now)
                        };
                        let told = shown.told.filter(|_| !is_lost);
                        *shown = Shown { told, told_at: at, ..Shown::default() };
                    }
                }
                Entry::TurnedAway(target, _, at) => self.attempted(*now, *target, None, *at),
                Entry::Answered(target, _, ending, at) => self.attempted(*now, *target, Some(*ending), *at),
                _ => {}
            }
        }
        self.read = journal.entries.len();
    }

    fn attempted(&mut self, now: Ms, target: Target, ending: Option<Ending>, at: Timestamp) {
        let shown = self.targets.entry(target).or_default();
        shown.polls += 1;
        shown.is_up = false;
        shown.attempted = Some(at);
        shown.stirred = now;
        if let Some(Ending::Told(stage)) = ending {
            self.last_told = now;
            *shown = Shown {
                told: Some(stage),
                told_at: now,
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
        self.read(script, journal);
        let mut breaches = Vec::new();
        let series = series(page, &mut breaches);
        let counters: HashMap<_, _> = series
            .iter()
            .filter(|(name, (_, is_counter))| *is_counter && !name.starts_with("process_"))
            .map(|(name, (value, _))| ((*name).to_owned(), *value))
            .collect();
        for (name, was) in &self.counters {
            if let Some(is) = counters.get(name).filter(|is| *is < was) {
                breaches.push(format!("{name} went back from {was} to {is}"));
            }
        }
        self.counters = counters;
        let mut expect = |name: String, wanted: f64| {
            let found = series.get(name.as_str()).map(|(value, _)| *value);
            if found != Some(wanted) {
                breaches.push(format!("{name} is {found:?}, and not {wanted}"));
            }
        };
        if now > script.durable_by(self.last_told) {
            expect("regwatch_store_pending_events".to_owned(), 0.0);
        }
        for (target, (_, times)) in &self.watched.targets {
            let Some(shown) = self.targets.get(target) else { continue };
            if now < shown.stirred + SHOWN_AFTER {
                continue;
            }
            let key = &names.targets[*target];
            let region = key.region.as_ref().map_or("", |region| region.as_str());
            let labels = format!(
                "{{probe=\"{}\",aws_account_id=\"{}\",aws_region=\"{region}\"}}",
                key.probe.as_str(),
                key.account
            );
            // As the page has them.
            let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1000.0;
            expect(format!("regwatch_polls_total{labels}"), shown.polls as f64);
            expect(format!("regwatch_target_up{labels}"), f64::from(u8::from(shown.is_up)));
            expect(
                format!("regwatch_target_last_attempt_timestamp_seconds{labels}"),
                shown.attempted.map_or(0.0, seconds),
            );
            if let Some(succeeded) = shown.succeeded {
                let is_stale = wall.duration_since(succeeded).as_millis() >= i128::from(times.stale_after);
                expect(format!("regwatch_target_stale{labels}"), f64::from(u8::from(is_stale)));
                expect(format!("regwatch_target_last_success_timestamp_seconds{labels}"), seconds(succeeded));
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
                    expect(name, f64::from(u8::from(*status == resource.status)));
                }
            }
        }
        breaches.truncate(20);
        breaches.iter_mut().for_each(|breach| breach.insert_str(0, &format!("at {now} ms: ")));
        breaches
    }
}

/// The series of a page, each with whether it may only grow.
fn series<'a>(page: &'a str, breaches: &mut Vec<String>) -> HashMap<&'a str, (f64, bool)> {
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
