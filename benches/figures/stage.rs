//! Pollers at work under a paused clock, on an AWS that each figure scripts.

use std::sync::Arc;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::liveness::Liveness;
use regwatch::model::{Fleet, Report, ScopeId};
use regwatch::poller::{Assignment, Inheritance, Orders, Poller, Surroundings};
use regwatch::probe::Prober;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::fleet::now;

/// Runs in virtual time.
pub(crate) fn virtually<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

/// Lets a poller for each scope of a fleet work for so long, and hears each report.
pub(crate) async fn play(
    fleet: Fleet,
    prober: impl Prober,
    seed: u64,
    time: Duration,
    mut hear: impl FnMut(Report),
) {
    let (reports, mut received) = mpsc::channel(1024);
    let (held, _) = mpsc::channel(1);
    let scopes = u32::try_from(fleet.scopes.len()).expect("it fits");
    let assignment = Assignment {
        fleet: Arc::new(fleet),
        succession: Arc::default(),
        redefined: Arc::default(),
        organizations: Vec::new(),
        start_window: Duration::from_secs(30),
        inheritance: Inheritance::default(),
        held,
    };
    let (orders, look) = watch::channel(Orders { assignment: Arc::new(assignment), is_settled: true });
    let around = Arc::new(Surroundings {
        prober,
        reports,
        liveness: Arc::new(Liveness::new()),
        clock: Clock::starting_at(now()),
        anchor: Instant::now(),
        held: None,
    });
    let mut pollers = JoinSet::new();
    for scope in 0..scopes {
        let seed = seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(scope));
        let poller = Poller::new(Arc::clone(&around), look.clone(), ScopeId(scope), seed);
        pollers.spawn(poller.run());
    }
    drop(around);
    // Without them the pollers end.
    let mut orders = Some(orders);
    let mut end = std::pin::pin!(sleep(time));
    loop {
        tokio::select! {
            () = &mut end, if orders.is_some() => orders = None,
            report = received.recv() => match report {
                Some(report) => hear(report),
                None => break,
            },
        }
    }
    while pollers.join_next().await.is_some() {}
}
