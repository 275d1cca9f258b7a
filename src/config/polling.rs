//! The `polling` section: of the file as a whole, and of one account on top of it.

use std::time::Duration;

use super::mistake::{Place, Report};
use super::section::Section;
use super::value::{Bounds, duration, human};
use crate::model::Polling;

/// The keys of the section; an account may have all but `start_window`.
pub(super) const KEYS: &[&str] = &[INTERVAL, PENDING, FAILED, TIMEOUT, STALE_AFTER, START_WINDOW];

/// The window that spreads the first polls; one for the whole process.
pub(super) const START_WINDOW: &str = "start_window";

const INTERVAL: &str = "interval";
const PENDING: &str = "pending_interval";
const FAILED: &str = "failed_interval";
const TIMEOUT: &str = "timeout";
const STALE_AFTER: &str = "stale_after";

const START_WINDOW_DEFAULT: Duration = Duration::from_secs(30);

const DEFAULTS: Cadence = Cadence {
    interval: Some(Duration::from_mins(5)),
    pending: Some(Duration::from_secs(15)),
    failed: Some(Duration::from_mins(1)),
    timeout: Some(Duration::from_secs(10)),
    stale_after: Some(Duration::from_mins(15)),
};

const INTERVAL_BOUNDS: Bounds = Bounds {
    least: (Duration::from_millis(100), "AWS grants an account 20 FleetWise calls a second"),
    most: (Duration::from_hours(24), "a change would go unseen for more than a day"),
};

const TIMEOUT_BOUNDS: Bounds = Bounds {
    least: (Duration::from_millis(100), "a new TLS connection alone may take as long"),
    most: (Duration::from_mins(5), "a call that hangs keeps its place among `max_in_flight`"),
};

const STALE_BOUNDS: Bounds = Bounds {
    least: (Duration::from_millis(200), "no target is polled more often than every 100ms"),
    most: (Duration::from_hours(7 * 24), "an outage of a week would go unseen"),
};

const START_BOUNDS: Bounds = Bounds {
    least: (Duration::from_millis(100), "the first polls would all be due at once"),
    most: (Duration::from_hours(1), "the first answers would be missing for more than an hour"),
};

/// A cadence as far as it could be read: `None` where a mistake has been reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cadence {
    interval: Option<Duration>,
    pending: Option<Duration>,
    failed: Option<Duration>,
    timeout: Option<Duration>,
    stale_after: Option<Duration>,
}

impl Default for Cadence {
    fn default() -> Self {
        DEFAULTS
    }
}

impl Cadence {
    /// What a section says on top of a cadence, with each value and their relations checked.
    pub(super) fn with(self, section: &Section<'_>, report: &mut Report) -> Self {
        let mut read = |key, bounds, inherited| match section.get(key) {
            Some(node) => duration(node, key, bounds, report),
            None => inherited,
        };
        let cadence = Self {
            interval: read(INTERVAL, INTERVAL_BOUNDS, self.interval),
            pending: read(PENDING, INTERVAL_BOUNDS, self.pending),
            failed: read(FAILED, INTERVAL_BOUNDS, self.failed),
            timeout: read(TIMEOUT, TIMEOUT_BOUNDS, self.timeout),
            stale_after: read(STALE_AFTER, STALE_BOUNDS, self.stale_after),
        };
        cadence.check_relations(section, report);
        cadence
    }

    /// The cadence, if all of it could be read.
    pub(super) fn polling(self) -> Option<Polling> {
        Some(Polling {
            interval: self.interval?,
            pending_interval: self.pending?,
            failed_interval: self.failed?,
            timeout: self.timeout?,
            stale_after: self.stale_after?,
        })
    }

    /// Reports values that are fine alone but not together, at a key of this section; relations among
    /// inherited values alone have been reported where they come from.
    fn check_relations(self, section: &Section<'_>, report: &mut Report) {
        let at = |keys: &[&str]| -> Option<Place> { keys.iter().find_map(|key| section.key(key)) };
        let intervals = || {
            [(self.interval, INTERVAL), (self.pending, PENDING), (self.failed, FAILED)]
                .into_iter()
                .filter_map(|(interval, key)| Some((interval?, key)))
        };
        let (Some((shortest, shortest_key)), Some((longest, longest_key)), Some(timeout)) =
            (intervals().min(), intervals().max(), self.timeout)
        else {
            return;
        };
        if timeout >= shortest
            && let Some(at) = at(&[TIMEOUT, shortest_key])
        {
            let (timeout, shortest) = (human(timeout), human(shortest));
            report.mistake(
                at,
                format!(
                    "`timeout` ({timeout}) is not below `{shortest_key}` ({shortest}); \
                     a call has to end before the next one is due"
                ),
            );
        }
        let fresh = longest + timeout;
        if let Some(stale_after) = self.stale_after
            && stale_after < fresh
            && let Some(at) = at(&[STALE_AFTER, longest_key, TIMEOUT])
        {
            let (stale_after, fresh) = (human(stale_after), human(fresh));
            report.mistake(
                at,
                format!(
                    "`stale_after` ({stale_after}) is below `{longest_key}` and `timeout` together; \
                     set it to {fresh} or more, else targets turn stale between two polls"
                ),
            );
        }
    }
}

/// The `start_window` of the file's own section.
pub(super) fn start_window(section: Option<&Section<'_>>, report: &mut Report) -> Option<Duration> {
    match section.and_then(|section| section.get(START_WINDOW)) {
        Some(node) => duration(node, START_WINDOW, START_BOUNDS, report),
        None => Some(START_WINDOW_DEFAULT),
    }
}
