//! Wall time: the only place that reads it.
//!
//! Delays are measured by tokio's monotonic [`Instant`]; what people and Prometheus see is wall time,
//! which may jump (NTP, a suspended machine). So an instant becomes a wall time late, by its distance
//! from now, and never the other way round.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A source of wall time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that starts at a given time and advances as tokio's clock does, paused or not.
    Virtual {
        /// The wall time at `start`.
        epoch: Timestamp,
        /// The instant it counts from.
        start: Instant,
    },
}

impl Clock {
    /// A clock that shows `epoch` now and advances as tokio's clock does.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self::Virtual { epoch, start: Instant::now() }
    }

    /// The wall time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Virtual { epoch, start } => after(epoch, start.elapsed()),
        }
    }

    /// The wall time at an instant, past or future, as far as can be told now.
    pub fn at(self, instant: Instant) -> Timestamp {
        let now = Instant::now();
        match instant.checked_duration_since(now) {
            Some(ahead) => after(self.now(), ahead),
            None => before(self.now(), now.duration_since(instant)),
        }
    }
}

fn after(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
