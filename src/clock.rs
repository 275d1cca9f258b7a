//! Wall time: the only place that reads it.
//!
//! Delays are measured by tokio's monotonic [`Instant`]; what people and Prometheus see is wall time,
//! which may jump (NTP, a suspended machine). So an instant becomes a wall time late, by its distance
//! from now. The other way round is for what another process has left, whose instants mean nothing here.

use std::sync::atomic::{AtomicI64, Ordering};
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
        /// By how many milliseconds it was stepped since, so far. It is static for a clock to be a value
        /// that is copied.
        steps: &'static AtomicI64,
    },
}

/// The steps of a clock that is never stepped.
static NONE: AtomicI64 = AtomicI64::new(0);

impl Clock {
    /// A clock that shows `epoch` now and advances as tokio's clock does.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self::stepping(epoch, &NONE)
    }

    /// The same, with somebody who steps it: by hand, by NTP, or because the machine was suspended, when
    /// wall time goes on and tokio's clock does not.
    pub fn stepping(epoch: Timestamp, steps: &'static AtomicI64) -> Self {
        Self::Virtual { epoch, start: Instant::now(), steps }
    }

    /// The wall time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Virtual { epoch, start, steps } => {
                let stepped = SignedDuration::from_millis(steps.load(Ordering::Relaxed));
                after(epoch.saturating_add(stepped).unwrap_or(epoch), start.elapsed())
            }
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

    /// How long ago a wall time was; nothing if it is yet to come.
    pub fn since(self, time: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(time)).unwrap_or_default()
    }

    /// How long it is until a wall time; nothing if it has passed.
    pub fn until(self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.now())).unwrap_or_default()
    }

    /// The instant at which the wall time was 1970-01-01 00:00 UTC, as far as can be told now: an origin that
    /// processes have in common whose clocks agree. Now, where instants do not reach so far back.
    pub fn origin(self) -> Instant {
        let now = Instant::now();
        now.checked_sub(self.since(Timestamp::UNIX_EPOCH)).unwrap_or(now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_moves_what_is_shown_of_every_instant_and_no_delay() {
        static STEPS: AtomicI64 = AtomicI64::new(0);
        let epoch: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let (clock, began) = (Clock::stepping(epoch, &STEPS), Instant::now());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now().to_string(), "2026-11-22T10:01:00Z");
        STEPS.fetch_sub(90_000, Ordering::Relaxed);
        assert_eq!(clock.now().to_string(), "2026-11-22T09:59:30Z");
        assert_eq!(clock.at(began).to_string(), "2026-11-22T09:58:30Z");
        assert_eq!(clock.at(Instant::now() + Duration::from_secs(5)).to_string(), "2026-11-22T09:59:35Z");
        assert_eq!(clock.until(epoch), Duration::from_secs(30));
        assert_eq!(clock.since(epoch), Duration::ZERO);
        assert_eq!(clock.at(clock.origin()), Timestamp::UNIX_EPOCH);
    }
}
