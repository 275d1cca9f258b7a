//! How much of a quota is used, and how much is throttled, when more is wanted than it grants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use regwatch::model::{Failure, FailureReason, Reading, Target};
use regwatch::probe::{Asked, Prober};
use tokio::time::{Instant, sleep};

use crate::fleet::{poll, together};
use crate::row;
use crate::stage::{play, virtually};

const TARGETS: u32 = 1000;
const RATE: f64 = 3.0;
const TIME: Duration = Duration::from_secs(3600);

/// What the configuration allows; the quota is to be found.
const LIMIT: f64 = 10.0;

/// Until the quota has been found.
const FOUND: Duration = Duration::from_secs(30);

const SEEDS: u64 = 10;

pub(crate) fn measure() {
    let outcomes: Vec<_> = (0..SEEDS).map(|seed| virtually(simulate(seed))).collect();
    let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let (used, throttled) = (mean(|outcome| outcome.used), mean(|outcome| outcome.throttled));
    let least = outcomes.iter().map(|outcome| outcome.used).fold(f64::INFINITY, f64::min);
    let most = outcomes.iter().map(|outcome| outcome.throttled).fold(0.0, f64::max);
    let what = format!("of a quota of {RATE}/s by {TARGETS} targets in an hour");
    row(format!("used {what}"), format!("{used:.2} % (at least {least:.2})"), "97 %", used > 97.0);
    row(format!("throttled {what}"), format!("{throttled:.2} % (at most {most:.2})"), "2 %", throttled < 2.0);
}

/// In percent of what the quota grants, and of the calls.
struct Outcome {
    used: f64,
    throttled: f64,
}

/// A bucket that holds a second's worth, and what came of it once the quota was found.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    began: Instant,
    accepted: u32,
    throttled: u32,
    random: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Scripted(Arc<Mutex<Bucket>>);

impl Prober for Scripted {
    type Session = ();

    async fn sign_in(&self, _: &Target) -> Result<(), Failure> {
        Ok(())
    }

    async fn ask(&self, target: &Target, (): ()) -> Asked {
        let at = Instant::now();
        let way = Duration::from_millis(self.0.lock().expect("nobody panicked").random.u64(10..25));
        sleep(way).await;
        let accepted = self.0.lock().expect("nobody panicked").take();
        sleep(way).await;
        let _ = target;
        Asked { at, outcome: accepted }
    }
}

impl Bucket {
    fn take(&mut self) -> Result<Reading, Failure> {
        let now = Instant::now();
        self.tokens = (self.tokens + RATE * (now - self.filled).as_secs_f64()).min(RATE);
        self.filled = now;
        let is_accepted = self.tokens >= 1.0;
        let counts = u32::from(now - self.began > FOUND);
        if is_accepted {
            self.tokens -= 1.0;
            self.accepted += counts;
            poll(regwatch::model::TargetId(0)).outcome
        } else {
            self.throttled += counts;
            Err(Failure::new(FailureReason::Throttled, "too many"))
        }
    }
}

async fn simulate(seed: u64) -> Outcome {
    let now = Instant::now();
    let random = fastrand::Rng::with_seed(seed);
    let bucket = Bucket { tokens: RATE, filled: now, began: now, accepted: 0, throttled: 0, random };
    let scripted = Scripted(Arc::new(Mutex::new(bucket)));
    play(together(TARGETS, LIMIT), scripted.clone(), seed, TIME, |_| {}).await;
    let bucket = scripted.0.lock().expect("nobody panicked");
    let (accepted, throttled) = (f64::from(bucket.accepted), f64::from(bucket.throttled));
    Outcome {
        used: 100.0 * accepted / (RATE * (TIME - FOUND).as_secs_f64()),
        throttled: 100.0 * throttled / (accepted + throttled),
    }
}
