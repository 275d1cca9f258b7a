//! Times as people read them: how long ago, and when exactly.

use jiff::{SignedDuration, Timestamp};

/// A time, seen from now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For machines: RFC 3339.
    pub(super) iso: String,
    /// When exactly.
    pub(super) utc: String,
    /// How long ago, or how soon.
    pub(super) age: String,
}

impl Moment {
    pub(super) fn new(time: Timestamp, now: Timestamp) -> Self {
        let ago = now.duration_since(time);
        let age = match ago.as_secs() {
            0 => "now".to_owned(),
            1.. => format!("{} ago", roughly(ago)),
            _ => format!("in {}", roughly(-ago)),
        };
        Self { iso: time.to_string(), utc: time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(), age }
    }

    pub(super) fn maybe(time: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        time.map(|time| Self::new(time, now))
    }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A duration in its largest unit.
fn roughly(duration: SignedDuration) -> String {
    match duration.as_secs() {
        secs if secs < 2 * MINUTE => format!("{secs} s"),
        secs if secs < 2 * HOUR => format!("{} min", secs / MINUTE),
        secs if secs < 2 * DAY => format!("{} h", secs / HOUR),
        secs => format!("{} days", secs / DAY),
    }
}

/// A duration in its two largest units.
pub(super) fn spelled(duration: SignedDuration) -> String {
    let secs = duration.as_secs();
    let (large, small) = match secs {
        secs if secs < MINUTE => return format!("{secs} s"),
        secs if secs < HOUR => ((secs / MINUTE, "min"), (secs % MINUTE, "s")),
        secs if secs < DAY => ((secs / HOUR, "h"), (secs % HOUR / MINUTE, "min")),
        secs => ((secs / DAY, if secs < 2 * DAY { "day" } else { "days" }), (secs % DAY / HOUR, "h")),
    };
    match small.0 {
        0 => format!("{} {}", large.0, large.1),
        _ => format!("{} {} {} {}", large.0, large.1, small.0, small.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_words() {
        let now: Timestamp = "2026-11-21T12:00:00.5Z".parse().unwrap();
        let age = |secs| Moment::new(now - SignedDuration::from_secs(secs), now).age;
        assert_eq!(
            [0, 1, 119, 120, 7_199, 7_200].map(age),
            ["now", "1 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago"]
        );
        assert_eq!([172_799, 172_800, -90].map(age), ["47 h ago", "2 days ago", "in 90 s"]);
        let moment = Moment::new(now, now);
        assert_eq!((&*moment.iso, &*moment.utc), ("2026-11-21T12:00:00.5Z", "2026-11-21 12:00:00 UTC"));
    }

    #[test]
    fn durations_are_spelled_out() {
        let spelled = |secs| spelled(SignedDuration::from_secs(secs));
        assert_eq!(
            [59, 60, 61, 3_600, 86_399].map(spelled),
            ["59 s", "1 min", "1 min 1 s", "1 h", "23 h 59 min"]
        );
        assert_eq!([86_400, 180_000].map(spelled), ["1 day", "2 days 2 h"]);
    }
}
