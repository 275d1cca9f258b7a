//! Weeks in seconds: regwatch's two loops at work for virtual days, before an AWS, a store and a machine
//! that follow a script, and judged by the script's own record.
//!
//! A seed chooses all of it: the fleet and its cadence, what becomes of each target, what AWS grants and
//! when it fails, outages of the store, restarts, crashes, reloads, and jumps of the clock. Time is tokio's,
//! paused, so that it passes as fast as it can be computed, and the same seed gives the same run. `life`
//! says what is real and what is not, and each file of `judge` what regwatch promises.
//!
//! ```text
//! cargo test --test weeks                      a few hundred seeds
//! WEEKS=0..10000 cargo test --test weeks       these
//! WEEKS=4711 cargo test --test weeks           this one: what a seed that fails says
//! ```

mod aws;
mod journal;
mod judge;
mod ledger;
mod life;
mod quota;
mod script;
mod settings;
mod story;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::{Verdict, run};

/// What is run unless the environment says otherwise.
const SEEDS: Range<u64> = 0..200;

/// The seeds to run.
fn seeds() -> Range<u64> {
    let Ok(chosen) = std::env::var("WEEKS") else { return SEEDS };
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match chosen.split_once("..") {
        Some((from, to)) => number(from).zip(number(to)).map(|(from, to)| from..to),
        None => number(&chosen).map(|seed| seed..seed + 1),
    };
    range
        .filter(|range| !range.is_empty())
        .unwrap_or_else(|| panic!("WEEKS={chosen} is no seed, and no range as 0..1000"))
}

/// Runs a seed; a panic is a breach like any other.
fn judged(seed: u64) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| run(seed))).unwrap_or_else(|_| Verdict {
        breaches: vec!["it panicked; its words are further up".to_owned()],
        ..Verdict::default()
    })
}

#[test]
fn whatever_happens_every_promise_is_kept() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end)
                {
                    let verdict = judged(seed);
                    for breach in &verdict.breaches {
                        println!("seed {seed}: {breach}");
                    }
                    all.lock().expect("nothing panics while it is held").push((seed, verdict));
                }
            });
        }
    });
    let all = all.into_inner().expect("nothing panics while it is held");
    let sum = |of: fn(&Verdict) -> f64| all.iter().map(|(_, verdict)| of(verdict)).sum::<f64>();
    let (days, calls) = (sum(|verdict| verdict.days), sum(|verdict| verdict.calls as f64));
    let events = sum(|verdict| verdict.events as f64);
    println!("{} seeds: {days:.0} virtual days, {calls} calls, {events} events", all.len());
    let mut failed: Vec<_> =
        all.iter().filter(|(_, v)| !v.breaches.is_empty()).map(|(seed, _)| seed).collect();
    failed.sort_unstable();
    if let Some(first) = failed.first() {
        panic!(
            "{} of {} seeds fail: {failed:?}\nreplay with: WEEKS={first} cargo test --test weeks",
            failed.len(),
            all.len()
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut traces = Vec::new();
    for seed in [3, 5, 8] {
        let [one, other] = [run(seed), run(seed)];
        assert_eq!((one.trace, one.events), (other.trace, other.events), "seed {seed}");
        traces.push(one.trace);
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 3, "and another seed another one");
}
