//! One quota scope's gate and pace.
//!
//! AWS counts all calls of a scope in one bucket, so being throttled is a fact about the scope: after
//! it nothing is sent until a delay has passed, then one call tries, and only its success opens the
//! gate. Between throttles calls are spaced at the rate that was learnt.

mod rate;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::rate::Rate;
use super::Backoff;
use crate::model::{Failure, FailureReason};

/// The shortest first delay after a throttle.
const DELAY_MIN: Duration = Duration::from_millis(250);

/// The longest that a delay of our own grows to.
const DELAY_MAX: Duration = Duration::from_secs(300);

/// The longest wait that is believed when AWS asks for it. No wait that AWS is known to ask for comes
/// near it, and one absurd header must not blind a scope for a day.
pub const HINT_MAX: Duration = Duration::from_secs(3600);

/// The first delay after a throttle, in gaps between calls. A bucket that has just throttled holds less
/// than one token and gains about one in a gap; a little more, for jitter shortens the delay by up to a
/// fifth.
const FIRST_DELAY_GAPS: f64 = 1.1;

/// How much of its lateness a call may make up for, in gaps: a timer that wakes late must not cost
/// quota, and a caller that was away must not find a burst saved up.
const SLACK_GAPS: f64 = 0.5;

/// What became of a call, as far as its quota scope is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// AWS answered with anything but a throttle: a refusal and a "not found", too, were let through.
    Accepted,
    /// AWS counted too many calls.
    Throttled {
        /// How long AWS asked to wait.
        retry_after: Option<Duration>,
    },
    /// The bucket is none the wiser: a timeout, an unreachable host, a 5xx, no credentials to call with.
    Unanswered,
}

impl Answer {
    /// What the outcome of a call means for its quota scope.
    pub fn of<T>(outcome: &Result<T, Failure>) -> Self {
        let Err(failure) = outcome else { return Self::Accepted };
        match failure.reason {
            FailureReason::Throttled => Self::Throttled { retry_after: failure.retry_after },
            FailureReason::AccessDenied
            | FailureReason::InvalidRequest
            | FailureReason::Unavailable
            | FailureReason::WrongAccount => Self::Accepted,
            FailureReason::Credentials
            | FailureReason::MalformedReply
            | FailureReason::Other
            | FailureReason::ServerError
            | FailureReason::Timeout
            | FailureReason::Unreachable => Self::Unanswered,
        }
    }
}

/// A call that was started. Each must come back to [`Pace::finish`]: one may be the trial that the
/// whole scope waits for.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// How often the gate had closed when the call started. A call that started before the gate last
    /// closed tells nothing new.
    closings: u32,
}

/// The gate and the learnt rate of one quota scope.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    /// The slot of the latest call; `None` before the first. Earlier than the call itself by as much of
    /// its lateness as the next may make up for.
    slot: Option<Instant>,
    gate: Gate,
    /// No trial starts sooner. It only ever moves ahead.
    not_before: Instant,
    /// The delays of throttles in a row; boxed, as most scopes never need it.
    backoff: Option<Box<Backoff>>,
    closings: u32,
    throttled: u64,
    rng: fastrand::Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
    /// Closed, and the one call that may open it is in flight.
    Trial,
}

impl Pace {
    /// An open gate, with the configured limit as the allowed rate, in requests per second.
    pub fn new(limit: f64, now: Instant, seed: u64) -> Self {
        Self {
            rate: Rate::new(limit, now),
            slot: None,
            gate: Gate::Open,
            not_before: now,
            backoff: None,
            closings: 0,
            throttled: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Sends nothing before a time, and then one call whose success opens the gate: whoever takes over a scope
    /// does not know what has just been used of its quota.
    pub fn hold_until(&mut self, time: Instant) {
        self.gate = Gate::Closed;
        self.not_before = self.not_before.max(time);
        self.closings += 1;
    }

    /// Holds the scope to another limit from now on. What was learnt stays, and so does the gate.
    pub fn set_limit(&mut self, limit: f64) {
        self.rate.set_limit(limit);
    }

    /// The earliest instant at which the next call may start, which may have passed; `None` while a
    /// trial is in flight. It moves when a call starts or finishes, and may come a little closer with
    /// time, as the rate grows.
    pub fn next_call(&self, now: Instant) -> Option<Instant> {
        let spaced = self.slot.map(|slot| slot + self.gap(now));
        match self.gate {
            Gate::Open => Some(spaced.unwrap_or(now)),
            Gate::Closed => Some(spaced.map_or(self.not_before, |spaced| spaced.max(self.not_before))),
            Gate::Trial => None,
        }
    }

    /// A call starts now. The caller has seen that [`Pace::next_call`] is not later.
    pub fn start(&mut self, now: Instant) -> Permit {
        let late = self.next_call(now).map_or(Duration::ZERO, |due| now.duration_since(due));
        self.slot = Some(now - late.min(self.gap(now).mul_f64(SLACK_GAPS)));
        if self.gate == Gate::Closed {
            self.gate = Gate::Trial;
        }
        Permit { closings: self.closings }
    }

    /// A call has ended.
    pub fn finish(&mut self, permit: Permit, answer: Answer, now: Instant) {
        let current = permit.closings == self.closings;
        let trial = current && self.gate == Gate::Trial;
        match answer {
            Answer::Accepted => {
                self.rate.accepted(now);
                if trial {
                    self.pass(now);
                }
            }
            Answer::Throttled { retry_after } => {
                self.throttled += 1;
                let hint = retry_after.map(|hint| hint.min(HINT_MAX));
                let delay = current.then(|| self.slow_down(now));
                if let Some(delay) = delay.max(hint) {
                    self.not_before = self.not_before.max(now + delay);
                    if current || self.gate == Gate::Open {
                        self.gate = Gate::Closed;
                        self.closings += 1;
                    }
                }
            }
            Answer::Unanswered if trial => {
                self.gate = Gate::Closed;
                self.not_before = self.not_before.max(now + DELAY_MIN);
            }
            Answer::Unanswered => {}
        }
    }

    /// The learnt rate now, in requests per second; never above the limit.
    pub fn allowed(&self, now: Instant) -> f64 {
        self.rate.at(now)
    }

    /// Until when nothing is sent; `None` while the gate is open. It has passed when a trial is under way.
    pub fn backoff_until(&self) -> Option<Instant> {
        (self.gate != Gate::Open).then_some(self.not_before)
    }

    /// How many calls were throttled.
    pub fn throttled(&self) -> u64 {
        self.throttled
    }

    /// The trial was let through.
    fn pass(&mut self, now: Instant) {
        self.backoff = None;
        self.rate.resume(now);
        // An older call may have been told to wait while the trial was in flight.
        self.gate = if now < self.not_before { Gate::Closed } else { Gate::Open };
    }

    /// A throttle that tells something new: lowers the rate and returns the delay.
    fn slow_down(&mut self, now: Instant) -> Duration {
        if self.backoff.is_some() {
            self.rate.fall_deeper();
        } else {
            self.rate.fall(now);
        }
        let first = self.gap(now).mul_f64(FIRST_DELAY_GAPS).max(DELAY_MIN);
        let backoff = self.backoff.get_or_insert_with(|| Box::new(Backoff::new(first, DELAY_MAX)));
        backoff.next(&mut self.rng)
    }

    /// The time between calls at the rate of now.
    fn gap(&self, now: Instant) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.at(now))
    }
}
