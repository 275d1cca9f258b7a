//! The figures that one process can tell: `cargo bench --bench figures`, or with the names of some.
//!
//! Each is a row of the table that `tests/bench/run` completes with what whole processes cost: what it is,
//! what was seen, what is to be reached, and whether it was. Times are the least of several runs, for
//! whatever else the machine does only ever adds; simulations have seeds and come out the same each time.

mod detection;
mod fleet;
mod growth;
mod quota;
mod scrape;
mod stage;

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

/// How often something is done of which the least time counts.
const RUNS: usize = 7;

const ALL: [(&str, fn()); 4] = [
    ("scrape", scrape::measure),
    ("quota", quota::measure),
    ("detection", detection::measure),
    ("core", growth::measure),
];

fn main() {
    // cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, measure) in ALL {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure();
        }
    }
}

/// Prints a row of the table.
fn row(figure: impl Display, seen: impl Display, reach: impl Display, reached: bool) {
    println!("| {figure} | {seen} | {reach} | {} |", if reached { "yes" } else { "NO" });
}

/// How long some work takes at the least.
fn least_time(mut work: impl FnMut()) -> Duration {
    let run = |()| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    std::iter::repeat_n((), RUNS).map(run).min().expect("there are runs")
}
