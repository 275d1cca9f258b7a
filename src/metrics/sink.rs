//! How far each sink has come.

use jiff::Timestamp;

use super::exposition::{Kind, Line, Lines};
use super::page::{Family, Rows};
use crate::sink::{Progress, RefusalReason};

/// A sink at the moment of the page.
pub(super) struct SinkRow<'a> {
    pub(super) progress: &'a Progress,
    pub(super) now: Timestamp,
}

impl SinkRow<'_> {
    fn line<'a>(&self, lines: &'a mut Lines<'_>) -> Line<'a> {
        lines.line().label("sink", self.progress.sink())
    }
}

pub(super) const FAMILIES: [Family; 5] = [
    Family {
        name: "regwatch_events_delivered_total",
        kind: Kind::Counter,
        help: "Events that the sink has delivered.",
        rows: Rows::Sink(|lines, row| row.line(lines).count(row.progress.delivered())),
    },
    Family {
        name: "regwatch_event_delivery_failures_total",
        kind: Kind::Counter,
        help: "Attempts to deliver an event that failed, by reason. All but refused and template are tried again \
               until they succeed.",
        rows: Rows::Sink(|lines, row| {
            for reason in RefusalReason::ALL {
                row.line(lines).label("reason", reason.as_str()).count(row.progress.failures(reason));
            }
        }),
    },
    Family {
        name: "regwatch_events_pending",
        kind: Kind::Gauge,
        help: "Events that the sink has yet to deliver. Of a long backlog it counts those too that the sink will \
               pass over.",
        rows: Rows::Sink(|lines, row| row.line(lines).count(row.progress.pending())),
    },
    Family {
        name: "regwatch_event_delivery_lag_seconds",
        kind: Kind::Gauge,
        help: "Age of the oldest event that the sink wants and has yet to deliver, in seconds; 0 when there is none.",
        rows: Rows::Sink(|lines, row| row.line(lines).measure(row.progress.lag(row.now).as_secs_f64())),
    },
    Family {
        name: "regwatch_events_parked_total",
        kind: Kind::Counter,
        help: "Events that the sink has given up: refused time and again, or no template renders them. They stay in \
               the event log.",
        rows: Rows::Sink(|lines, row| row.line(lines).count(row.progress.parked())),
    },
];
