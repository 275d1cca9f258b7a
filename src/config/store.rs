//! The `store` section: what outlives the process, where, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use super::mistake::Report;
use super::postgres::{self, Postgres};
use super::section::Section;
use super::value::{Bounds, duration, shown, text, word};

/// The keys of the section.
pub(super) const KEYS: &[&str] = &[PATH, POSTGRES, RETENTION, MAX_EVENTS];

const PATH: &str = "path";
const POSTGRES: &str = "postgres";
const RETENTION: &str = "retention";
const MAX_EVENTS: &str = "max_events";

/// A quarter of a year: long enough to look back at the last release.
const RETENTION_DEFAULT: Duration = Duration::from_hours(90 * 24);

/// A hundred thousand resources that change ten times in that quarter; some 500 MB.
const MAX_EVENTS_IN_A_FILE: u64 = 1_000_000;

/// Without a file the events only bridge a receiver's outage and feed the API: some 10 MB of memory.
const MAX_EVENTS_IN_MEMORY: u64 = 10_000;

const RETENTION_BOUNDS: Bounds = Bounds {
    least: (Duration::from_hours(1), "events would be gone before anybody has looked"),
    most: (Duration::from_hours(3650 * 24), "what is older than ten years belongs in an archive"),
};

/// Fewer would not outlast the start of a small fleet, where each resource is seen for the first time.
const LEAST_EVENTS: u64 = 100;

/// At some 500 bytes each, 50 GB.
const MOST_EVENTS: u64 = 100_000_000;

/// What outlives the process, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file; relative to the working directory.
    pub path: Option<PathBuf>,
    /// The database, where several replicas share one. Without it and without a file it is memory, which
    /// ends with the process.
    pub postgres: Option<Postgres>,
    /// How long events are kept, and longer those that a sink has yet to deliver.
    pub retention: Duration,
    /// How many events are kept at most, whatever their age and whoever has yet to deliver them.
    pub max_events: u64,
}

impl Default for Store {
    /// What holds without the section: memory.
    fn default() -> Self {
        Self { path: None, postgres: None, retention: RETENTION_DEFAULT, max_events: MAX_EVENTS_IN_MEMORY }
    }
}

impl Store {
    /// Whether what is kept is there after a restart.
    pub fn outlives_the_process(&self) -> bool {
        self.path.is_some() || self.postgres.is_some()
    }
}

/// Reads the section; `None` where a mistake has been reported.
pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Option<Store> {
    let path = section.get(PATH).map(|node| word(node, PATH, report).map(PathBuf::from));
    let postgres = section.get(POSTGRES).map(|node| postgres::read(node, report));
    let defaults = in_file(PathBuf::new());
    let retention = match section.get(RETENTION) {
        Some(node) => duration(node, RETENTION, RETENTION_BOUNDS, report),
        None => Some(defaults.retention),
    };
    let max_events = max_events(section, defaults.max_events, report);
    let (path, postgres) = match (path, postgres) {
        (Some(_), Some(_)) => {
            let at = section.key(POSTGRES).unwrap_or(section.at);
            report.mistake(at, format!("`{PATH}` and `{POSTGRES}` are both there; keep one of them"));
            return None;
        }
        (None, None) => {
            if section.lacks(PATH) && section.lacks(POSTGRES) {
                let right =
                    "name the file or the database, or leave `store` out to keep everything in memory";
                report.mistake(section.at, format!("`store` needs `{PATH}` or `{POSTGRES}`; {right}"));
            }
            return None;
        }
        (Some(path), None) => (Some(path?), None),
        (None, Some(postgres)) => (None, Some(postgres?)),
    };
    Some(Store { path, postgres, retention: retention?, max_events: max_events? })
}

/// The section with nothing but its path.
pub(super) fn in_file(path: PathBuf) -> Store {
    Store { path: Some(path), postgres: None, retention: RETENTION_DEFAULT, max_events: MAX_EVENTS_IN_A_FILE }
}

fn max_events(section: &Section<'_>, default: u64, report: &mut Report) -> Option<u64> {
    let Some(node) = section.get(MAX_EVENTS) else { return Some(default) };
    let text = text(node, MAX_EVENTS, report)?;
    let events = text.parse().ok().filter(|events| (LEAST_EVENTS..=MOST_EVENTS).contains(events));
    if events.is_none() {
        let right = format!("it is a whole number of events, from {LEAST_EVENTS} to {MOST_EVENTS}");
        report.mistake(node.at, format!("`{MAX_EVENTS}` is {}; {right}", shown(text)));
    }
    events
}
