//! A scope that always has more to ask than its quota, against a token bucket: what is used of the
//! quota, and what is throttled. A discrete-event simulation in virtual time, repeated over seeds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Pace, Permit};

/// How many calls a poller keeps in flight in one scope.
const IN_FLIGHT: usize = 4;

/// What throttles after this are counted, in seconds: before, the quota is being found.
const FOUND: f64 = 30.0;

struct Scenario {
    limit: f64,
    /// Seconds, and the calls per second that the quota grants from then on.
    quota: Vec<(f64, f64)>,
    burst: f64,
    secs: f64,
}

impl Scenario {
    fn new(limit: f64, quota: f64, burst: f64, secs: f64) -> Self {
        Self { limit, quota: vec![(0.0, quota)], burst, secs }
    }

    /// Another quota for a while.
    fn dip(mut self, quota: f64, from: f64, to: f64) -> Self {
        let (_, usual) = self.quota[0];
        self.quota.extend([(from, quota), (to, usual)]);
        self
    }

    /// How many calls the quota grants between two times, at no more than a rate.
    fn grant(&self, from: f64, to: f64, most: f64) -> f64 {
        let ends = self.quota.iter().skip(1).map(|&(start, _)| start).chain([self.secs]);
        let spans = self.quota.iter().zip(ends);
        spans.map(|(&(start, quota), end)| (to.min(end) - from.max(start)).max(0.0) * quota.min(most)).sum()
    }

    /// All that could be used: what is granted up to the limit, and the burst to begin with.
    fn usable(&self) -> f64 {
        let burst = if self.limit > self.quota[0].1 { self.burst } else { 0.0 };
        burst + self.grant(0.0, self.secs, self.limit)
    }
}

#[derive(Debug, Default)]
struct Outcome {
    /// Of what the quota granted, in percent.
    used: f64,
    /// Of the calls after the quota was found, in percent.
    throttled: f64,
    /// When each call was started, in seconds, and whether it was accepted.
    calls: Vec<(f64, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The poller's timer; only the latest counts.
    Wake(u32),
    Arrive(usize),
    Reply(usize),
}

fn simulate(scenario: &Scenario, seed: u64) -> Outcome {
    let base = Instant::now();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut pace = Pace::new(scenario.limit, base, seed);
    let (mut level, mut filled_at) = (scenario.burst, 0.0);
    let (mut permits, mut calls): (Vec<Permit>, Vec<(f64, bool)>) = (vec![], vec![]);
    let (mut in_flight, mut wake) = (0, 0);
    let mut events = BinaryHeap::from([Reverse((Duration::ZERO, Event::Wake(0)))]);
    while let Some(Reverse((at, event))) = events.pop() {
        let (now, secs) = (base + at, at.as_secs_f64());
        if secs > scenario.secs {
            break;
        }
        match event {
            Event::Wake(number) if number != wake => continue,
            Event::Wake(_) => {}
            Event::Arrive(call) => {
                level = scenario.burst.min(level + scenario.grant(filled_at, secs, f64::INFINITY));
                filled_at = secs;
                if level >= 1.0 {
                    level -= 1.0;
                    calls[call].1 = true;
                }
            }
            Event::Reply(call) => {
                in_flight -= 1;
                let throttled = Answer::Throttled { retry_after: None };
                pace.finish(permits[call], if calls[call].1 { Answer::Accepted } else { throttled }, now);
            }
        }
        while in_flight < IN_FLIGHT && pace.next_call(now).is_some_and(|due| due <= now) {
            let round_trip = 0.02 + 0.03 * rng.f64();
            events
                .push(Reverse((at + Duration::from_secs_f64(round_trip / 2.0), Event::Arrive(calls.len()))));
            events.push(Reverse((at + Duration::from_secs_f64(round_trip), Event::Reply(calls.len()))));
            permits.push(pace.start(now));
            calls.push((secs, false));
            in_flight += 1;
        }
        if let Some(due) = pace.next_call(now).filter(|_| in_flight < IN_FLIGHT) {
            // A timer wakes late.
            let late = Duration::from_secs_f64(0.003 * rng.f64());
            wake += 1;
            events.push(Reverse((due - base + late, Event::Wake(wake))));
        }
    }
    let share = |of: usize, all: f64| 100.0 * of as f64 / all.max(1.0);
    let late = calls.iter().filter(|&&(at, _)| at > FOUND);
    let accepted = calls.iter().filter(|&&(_, accepted)| accepted).count();
    let late_throttled = late.clone().filter(|&&(_, accepted)| !accepted).count();
    Outcome {
        used: share(accepted, scenario.usable()),
        throttled: share(late_throttled, late.count() as f64),
        calls,
    }
}

/// The outcomes over seeds, each with another burst, in seconds' quota from one to two, and another
/// number from 0 to 1.
fn outcomes(seeds: u64, scenario: impl Fn(f64, f64) -> Scenario) -> Vec<Outcome> {
    let number = |seed| fastrand::Rng::with_seed(seed).f64();
    (0..seeds).map(|seed| simulate(&scenario(1.0 + (seed % 11) as f64 / 10.0, number(seed)), seed)).collect()
}

/// The mean, the least and the most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let values: Vec<_> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    [mean, least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
}

/// Checks bounds, in percent: what is used of the quota, on the mean and at least, and what is
/// throttled, on the mean and at most.
fn check(outcomes: &[Outcome], used: [f64; 2], throttled: [f64; 2]) {
    let seen = spread(outcomes.iter().map(|outcome| outcome.used));
    assert!(seen[0] >= used[0] && seen[1] >= used[1], "used: mean, least, most {seen:.2?}");
    let seen = spread(outcomes.iter().map(|outcome| outcome.throttled));
    assert!(seen[0] <= throttled[0] && seen[2] <= throttled[1], "throttled: mean, least, most {seen:.2?}");
}

#[test]
fn a_steady_quota_is_used_up_with_few_throttles() {
    let outcomes = outcomes(60, |burst, _| Scenario::new(10.0, 3.0, 3.0 * burst, 600.0));
    check(&outcomes, [99.5, 98.0], [1.0, 1.2]);
}

#[test]
fn a_large_quota_is_used_up_with_few_throttles() {
    let outcomes = outcomes(11, |burst, _| Scenario::new(50.0, 20.0, 20.0 * burst, 600.0));
    check(&outcomes, [99.5, 99.0], [0.2, 0.3]);
}

#[test]
fn a_small_quota_is_used_up() {
    let outcomes = outcomes(60, |burst, _| Scenario::new(10.0, 0.5, 1.0 + burst, 1200.0));
    check(&outcomes, [97.0, 95.0], [9.0, 12.0]);
}

#[test]
fn a_quota_that_drops_to_a_third_for_a_minute_is_followed_down_and_up_again() {
    let outcomes = outcomes(150, |burst, dice| {
        let from = 60.0 + 60.0 * dice;
        Scenario::new(10.0, 3.0, 3.0 * burst, 240.0).dip(1.0, from, from + 60.0)
    });
    check(&outcomes, [98.0, 94.5], [2.4, 3.2]);
}

#[test]
fn a_limit_below_the_quota_is_used_up_without_a_throttle() {
    let outcomes = outcomes(20, |burst, _| Scenario::new(2.0, 3.0, 3.0 * burst, 600.0));
    check(&outcomes, [99.5, 99.0], [0.0, 0.0]);
}

/// Such a bucket saves nothing: each call that comes late is lost, each early one is throttled.
#[test]
fn a_bucket_that_holds_one_token_is_used_for_the_most_part() {
    let outcomes = outcomes(60, |_, _| Scenario::new(10.0, 3.0, 1.0, 600.0));
    check(&outcomes, [80.0, 75.0], [1.5, 2.0]);
}

#[test]
fn an_outage_costs_few_calls_and_is_recovered_from() {
    let (from, to) = (100.0, 700.0);
    let outcomes = outcomes(60, |burst, _| Scenario::new(10.0, 3.0, 3.0 * burst, 1500.0).dip(0.0, from, to));
    for Outcome { calls, .. } in outcomes {
        // From a third of a second, doubling, ten delays make three minutes; then one in 200 s and more.
        let during = calls.iter().filter(|&&(at, _)| (from + 5.0..to).contains(&at)).count();
        assert!((6..=14).contains(&during), "{during}");
        let (found, _) = calls.iter().find(|&&(at, accepted)| at > to && accepted).expect("it recovers");
        assert!(found - to <= 300.0, "the longest delay: {found}");
        let after =
            calls.iter().filter(|&&(at, accepted)| (found + 30.0..found + 150.0).contains(&at) && accepted);
        let used = after.count() as f64 / (120.0 * 3.0);
        assert!(used > 0.8, "half a minute later: {used}");
    }
}
