//! What is known about the asking itself, target by target: every configured target has its series
//! from the first scrape on, whatever becomes of it.
//!
//! The one exception is `regwatch_poll_failures_total`, which has a series only for the reasons that
//! occurred. All eleven for each target would make the page more than a third longer for series that
//! stay at 0; and what `rate()` cannot see in a series that begins at 1, the first failure, shows in
//! `regwatch_target_up` at once.

use jiff::Timestamp;

use super::exposition::{Kind, Line, Lines};
use super::page::{Family, Rows};
use crate::model::{Snapshot, Target, TargetId, TargetState};

/// A target, and what is known of it at a moment.
pub(super) struct TargetRow<'a> {
    pub(super) target: &'a Target,
    pub(super) state: &'a TargetState,
    pub(super) id: TargetId,
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
}

impl TargetRow<'_> {
    /// Begins a series that names the target.
    fn line<'a>(&self, lines: &'a mut Lines<'_>) -> Line<'a> {
        lines
            .line()
            .label("probe", self.target.probe.as_str())
            .plain("aws_account_id", self.target.account.id)
            .label("aws_region", self.target.region_str())
    }
}

/// Adds to a help text why the series of a target do not move with the scrapes.
macro_rules! on_a_timer {
    ($help:literal) => {
        concat!(
            $help,
            " Polling runs on its own timer, not when scraped: AWS limits how often one may ask, ",
            "and a state that comes and goes between two scrapes would be missed."
        )
    };
}
pub(super) use on_a_timer;

pub(super) const FAMILIES: [Family; 8] = [
    Family {
        name: "regwatch_target_up",
        kind: Kind::Gauge,
        help: on_a_timer!(
            "Whether the last poll of the target succeeded (1) or failed, or none was made yet (0)."
        ),
        rows: Rows::Target(|lines, row| row.line(lines).flag(row.state.is_up())),
    },
    Family {
        name: "regwatch_target_stale",
        kind: Kind::Gauge,
        help: "Whether the target has not answered for as long as polling.stale_after (1) or has (0). What was \
               last known of it is still shown.",
        rows: Rows::Target(|lines, row| row.line(lines).flag(row.snapshot.is_stale(row.id, row.now))),
    },
    Family {
        name: "regwatch_target_last_attempt_timestamp_seconds",
        kind: Kind::Gauge,
        help: on_a_timer!("When the target was last polled, in Unix seconds; 0 for never."),
        rows: Rows::Target(|lines, row| row.line(lines).time_or_never(row.state.last_attempt)),
    },
    Family {
        name: "regwatch_target_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        help: on_a_timer!("When a poll of the target last succeeded, in Unix seconds; 0 for never."),
        rows: Rows::Target(|lines, row| row.line(lines).time_or_never(row.state.last_success)),
    },
    Family {
        name: "regwatch_target_next_poll_timestamp_seconds",
        kind: Kind::Gauge,
        help: on_a_timer!("When the target's next poll is due, in Unix seconds; 0 before the first poll."),
        rows: Rows::Target(|lines, row| row.line(lines).time_or_never(row.state.next_poll)),
    },
    Family {
        name: "regwatch_polls_total",
        kind: Kind::Counter,
        help: on_a_timer!("Polls of the target, failed ones included."),
        rows: Rows::Target(|lines, row| row.line(lines).count(row.state.polls)),
    },
    Family {
        name: "regwatch_poll_failures_total",
        kind: Kind::Counter,
        help: "Polls of the target that failed, by reason; a reason that has not occurred has no series.",
        rows: Rows::Target(|lines, row| {
            for (reason, count) in row.state.failures.iter() {
                row.line(lines).label("reason", reason.as_str()).count(count.into());
            }
        }),
    },
    Family {
        name: "regwatch_transitions_total",
        kind: Kind::Counter,
        help: on_a_timer!(
            "Changes of state seen between two polls. Where from and to are the same, AWS's modification time \
             moved: the state changed and came back. What usually follows the present state is there at 0."
        ),
        rows: Rows::Target(|lines, row| {
            for transition in &row.state.transitions {
                row.line(lines)
                    .label("resource", transition.resource.as_str())
                    .label("from", transition.from.as_str())
                    .label("to", transition.to.as_str())
                    .count(transition.count.into());
            }
        }),
    },
];
