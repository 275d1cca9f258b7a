//! Growing delays between attempts that fail.
//!
//! The growth is the `backoff` crate's policy, which nothing else names; the jitter is our own, because
//! the policy's cannot be replayed from a seed.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// How much longer each delay is than the one before, jitter aside.
const GROWTH: f64 = 2.0;

/// How far jitter moves a delay, as a share of it. Small enough for delays to grow whatever the dice
/// say: `GROWTH` × (1 − 0.2) is still more than 1 + 0.2.
const JITTER: f64 = 0.2;

/// A sequence of delays, each about twice the one before, up to a maximum.
#[derive(Debug)]
pub struct Backoff {
    policy: ExponentialBackoff,
    max: Duration,
}

impl Backoff {
    /// A sequence that starts at about `initial`; no delay is ever longer than `max`.
    pub fn new(initial: Duration, max: Duration) -> Self {
        // Jitter must not lift a delay above the maximum.
        let max_interval = max.div_f64(1.0 + JITTER);
        let initial_interval = initial.min(max_interval);
        let policy = ExponentialBackoff {
            current_interval: initial_interval,
            initial_interval,
            randomization_factor: 0.0,
            multiplier: GROWTH,
            max_interval,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { policy, max }
    }

    /// The next delay, within 20 % of its nominal length. It is longer than the one before until that
    /// was two thirds of the maximum.
    pub fn next(&mut self, rng: &mut fastrand::Rng) -> Duration {
        let nominal = self.policy.current_interval;
        // Only for the step: what it returns is `nominal` again, give or take a nanosecond by chance.
        self.policy.next_backoff();
        nominal.mul_f64(1.0 + JITTER * (2.0 * rng.f64() - 1.0)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_grow_and_stay_within_bounds(
            initial in 1u64..10_000,
            times in 1u64..10_000,
            seed in any::<u64>(),
        ) {
            let initial = Duration::from_millis(initial);
            let max = initial * u32::try_from(times).unwrap();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut backoff = Backoff::new(initial, max);
            let delays: Vec<_> = (0..30).map(|_| backoff.next(&mut rng)).collect();
            prop_assert!(delays[0] >= initial.min(max.div_f64(1.2)).mul_f64(0.8), "{delays:?}");
            prop_assert!(delays[0] <= initial.mul_f64(1.2), "{delays:?}");
            for pair in delays.windows(2) {
                prop_assert!(pair[1] > pair[0] || pair[0] >= max.mul_f64(0.666), "{delays:?}");
                prop_assert!(pair[1] < pair[0] * 3, "{delays:?}");
            }
            prop_assert!(delays.iter().all(|&delay| delay <= max), "{delays:?}");
            prop_assert!(delays[29] >= max.mul_f64(0.666), "{delays:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(300));
            (0..12).map(|_| backoff.next(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7));
        assert_ne!(delays(7), delays(8));
    }
}
