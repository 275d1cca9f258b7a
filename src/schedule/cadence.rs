//! When a target is asked: its place in time, the interval of its state, and what a failure changes.

use std::time::Duration;

use tokio::time::Instant;

use super::Backoff;
use crate::model::{Failure, FailureReason, Phase, Polling, Target};

/// The first delay after which a target is asked again whose poll failed.
const RETRY_INITIAL: Duration = Duration::from_secs(2);

/// How many times as fast as usual is asked what was not asked for a while: the thirty seconds of a lease are
/// caught up within two.
const CATCH_UP: u32 = 16;

/// A target's place in time: a fraction of whatever its interval is, drawn from what the target is.
///
/// Targets are spread evenly, the same way in each run, and stay where they are: a poll that comes late,
/// a retry or another interval moves nobody, so no two targets drift into being asked together.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    anchor: Instant,
    /// The fraction, in units of 2^-64.
    fraction: u64,
}

impl Cadence {
    /// The place of a target on a grid that starts at `anchor`, which all targets share.
    pub fn new(target: &Target, anchor: Instant) -> Self {
        let account = target.account.id.to_string();
        Self::of([account.as_str(), target.probe.as_str(), target.region_str()], anchor)
    }

    /// The place of whatever is named by these parts.
    pub fn of(name: [&str; 3], anchor: Instant) -> Self {
        Self { anchor, fraction: stable_hash(name) }
    }

    /// When a target that is watched from now on is asked first: at its place in the start-up window.
    pub fn first(&self, now: Instant, start_window: Duration) -> Instant {
        now + from_nanos(self.offset(start_window.as_nanos()))
    }

    /// When a target is asked first that somebody else had until now: when it would have been by them. Those
    /// that should have been meanwhile come soon, and not all at once.
    pub fn taken_over(
        &self,
        now: Instant,
        since_last: Duration,
        interval: Duration,
        start_window: Duration,
    ) -> Instant {
        match interval.checked_sub(since_last) {
            Some(left) if !left.is_zero() => now + left,
            _ => {
                let overdue = since_last.saturating_sub(interval).min(interval);
                self.first(now, start_window.min(overdue / CATCH_UP))
            }
        }
    }

    /// The target's next regular point, strictly after `now` and at most `interval` later. Points that
    /// were missed are skipped.
    pub fn next(&self, now: Instant, interval: Duration) -> Instant {
        let interval = interval.as_nanos().max(1);
        let offset = self.offset(interval);
        let elapsed = now.duration_since(self.anchor).as_nanos();
        let points = match elapsed.checked_sub(offset) {
            Some(since_first) => since_first / interval + 1,
            None => 0,
        };
        self.anchor + from_nanos(offset + points * interval)
    }

    /// When the target is asked again after a failure; never later than its next regular point.
    ///
    /// `backoff` is the target's own: it is `None` while all is well, so that a healthy target costs
    /// nothing, and the caller sets it to `None` when the target answers.
    pub fn after_failure(
        &self,
        failure: &Failure,
        backoff: &mut Option<Box<Backoff>>,
        now: Instant,
        interval: Duration,
        rng: &mut fastrand::Rng,
    ) -> Instant {
        let regular = self.next(now, interval);
        match remedy(failure) {
            Remedy::Gate => now,
            Remedy::Patience => {
                *backoff = None;
                regular
            }
            Remedy::Retry => {
                let backoff = backoff.get_or_insert_with(|| {
                    Box::new(Backoff::new(RETRY_INITIAL, interval.max(RETRY_INITIAL)))
                });
                let delay = backoff.next(rng).max(failure.retry_after.unwrap_or_default());
                // So late a retry would come on top of the regular poll rather than before it, and a
                // target that never answers would cost twice what a healthy one does.
                if delay > interval / 2 { regular } else { regular.min(now + delay) }
            }
        }
    }

    /// The fraction of a span in nanoseconds, less than the span.
    fn offset(&self, span: u128) -> u128 {
        // Spans are far below the 2^64 ns (584 years) at which the product would overflow.
        (u128::from(self.fraction) * span) >> 64
    }
}

/// How often a target in this phase is asked.
pub fn interval(polling: &Polling, phase: Phase) -> Duration {
    match phase {
        Phase::Settled => polling.interval,
        Phase::Failed => polling.failed_interval,
        Phase::Pending => polling.pending_interval,
    }
}

/// What helps against a failure.
enum Remedy {
    /// The target is due at once, and its scope's gate decides when that is.
    Gate,
    /// It may pass by itself: soon again, then less and less soon.
    Retry,
    /// Somebody has to mend something first: no hurry.
    Patience,
}

fn remedy(failure: &Failure) -> Remedy {
    match failure.reason {
        FailureReason::Throttled => Remedy::Gate,
        // A malformed reply is a proxy's error page or a cut body sooner than a change of AWS's API, and
        // what nobody classified may be anything: the backoff bounds the cost of being wrong.
        FailureReason::Timeout
        | FailureReason::Unreachable
        | FailureReason::ServerError
        | FailureReason::Unavailable
        | FailureReason::MalformedReply
        | FailureReason::Other => Remedy::Retry,
        // STS asked to wait: it was busy, and the credentials are as good as ever.
        FailureReason::Credentials if failure.retry_after.is_some() => Remedy::Retry,
        FailureReason::Credentials
        | FailureReason::AccessDenied
        | FailureReason::InvalidRequest
        | FailureReason::WrongAccount => Remedy::Patience,
    }
}

/// FNV-1a over the parts, each closed by a byte that occurs in none, then the finalizer of `SplitMix64`:
/// FNV alone leaves the high bits of keys alike that differ in their last characters. Not std's
/// hasher, whose algorithm may change between releases and with it everybody's place.
fn stable_hash(parts: [&str; 3]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let secs = u64::try_from(nanos / PER_SECOND).unwrap_or(u64::MAX);
    Duration::new(secs, (nanos % PER_SECOND) as u32)
}

#[cfg(test)]
mod tests;
