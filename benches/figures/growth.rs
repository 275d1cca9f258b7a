//! What the size of a fleet adds to the cost of a poll in the tracker, to what a target takes of memory, and
//! to what it takes of a scrape.

use std::sync::Arc;
use std::time::Duration;

use regwatch::liveness::Liveness;
use regwatch::metrics::Metrics;
use regwatch::model::{Generation, Pacing, Report, ScopeId, Snapshot, TargetId};
use regwatch::store::{Batch, Committed, Ledger, StoreError};
use regwatch::tracker::Tracker;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::fleet::{POLLING, answered, apart, poll};
use crate::scrape::written;
use crate::stage::virtually;
use crate::{least_time, row};

const SMALL: u32 = 1000;
const LARGE: u32 = 100_000;

/// Polls a millisecond of virtual time, and for how long: a thousand a second for ten seconds.
const POLLS: u32 = 10_000;

pub(crate) fn measure() {
    let [small, large] = [SMALL, LARGE].map(|targets| {
        let before = resident();
        let snapshot = Arc::new(answered(apart(targets, POLLING)));
        let bytes = (resident() - before) / f64::from(targets);
        let a_target = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(targets);
        let scraped = a_target(written(&snapshot));
        let tracked = least_time(|| virtually(track(Snapshot::clone(&snapshot)))).as_secs_f64() * 1e6
            / f64::from(POLLS);
        [tracked, scraped, bytes]
    });
    for (what, unit, [small, large]) in [
        ("a poll in the tracker, 1,000/s", "µs", [small[0], large[0]]),
        ("a target in a scrape", "µs", [small[1], large[1]]),
    ] {
        let ratio = large / small;
        let seen = format!("{ratio:.2} times ({large:.2} {unit} against {small:.2} {unit})");
        row(format!("{what}, {LARGE} targets against {SMALL}"), seen, "1.2 times", ratio <= 1.2);
    }
    let bytes = large[2];
    row(
        format!("memory of a target in fleet and snapshot, {LARGE} targets"),
        format!("{bytes:.0} B"),
        "2048 B",
        bytes <= 2048.0,
    );
}

/// A store that takes everything at once.
#[derive(Clone)]
struct Nowhere;

impl Ledger for Nowhere {
    async fn commit(&self, _: Arc<Vec<Batch>>) -> Result<Committed, StoreError> {
        Ok(Committed::default())
    }
}

/// Lets the tracker take in polls of all targets in turn, and publish what it knows.
async fn track(snapshot: Snapshot) {
    let targets = u32::try_from(snapshot.targets.len()).expect("it fits");
    let (tracker, look) =
        Tracker::new(snapshot, Nowhere, Arc::new(Metrics::new()), &Arc::new(Liveness::new()));
    let (reports, received) = mpsc::channel(1024);
    let (_held, adoptions) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(tracker.run(received, adoptions));
    for number in 0..POLLS {
        // In an order in which neighbours do not follow each other.
        let target = u32::try_from(u64::from(number) * 7919 % u64::from(targets)).expect("it fits");
        let (poll, pacing) = (poll(TargetId(target)), Pacing::default());
        let report = Report::Polled { generation: Generation(0), poll, scope: ScopeId(target), pacing };
        reports.send(report).await.expect("the tracker runs");
        sleep(Duration::from_millis(1)).await;
    }
    drop(reports);
    while tasks.join_next().await.is_some() {}
    assert!(look.borrow().targets[0].polls > 1);
}

/// Bytes of memory that this process has.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") * 1024.0
}
