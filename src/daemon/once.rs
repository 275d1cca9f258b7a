//! Every target asked once, now: what `regwatch poll` does.
//!
//! The same pollers, broker and pace as the daemon's, without tracker, store, sinks and HTTP. A throttle
//! is pacing and no answer: the target is asked again when its scope opens, as long as the patience lasts.

mod roll;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::roll::Roll;
use super::REPORTS;
use super::loops::assignment;
use super::tasks::{named, unasked};
use crate::aws::{self, Aws, Broker, Needed, Overrides};
use crate::clock::Clock;
use crate::config::{Config, Rosters};
use crate::discovery;
use crate::liveness::Liveness;
use crate::model::{
    Account, FailureReason, Fleet, Report, ScopeId, Service, Snapshot, Succession, TargetState,
};
use crate::poller::{Inheritance, Orders, Poller, Surroundings, is_conclusive};
use crate::probe::{AwsDirectory, AwsProber};

/// How long a fleet may take beyond what its quotas make it take: some throttling, and calls that end in
/// their timeout.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a listing may take where nobody is impatient: one that fails ends by itself.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// How often credentials are wished for that STS could not give just now, while it does not throttle: once
/// more may help against a lost connection, and none helps against a proxy that is not there.
const CREDENTIALS_TRIES: u32 = 2;

/// How asking came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There is an answer, or a failure, for each target.
    Complete,
    /// The patience was at its end.
    TimeUp,
    /// Somebody wanted it to end.
    Stopped,
}

/// What came of asking.
#[derive(Debug)]
pub struct Polled {
    /// What AWS answered. A target without `last_attempt` never had its turn.
    pub snapshot: Snapshot,
    /// How it ended.
    pub ended: Ended,
}

/// Asks for every target of a configuration until each has its answer, the patience ends, or `stop` is
/// ready. The accounts of organizations are found first, and those polled that are wanted; what could not be
/// listed tells the snapshot. Without a patience it lasts as long as the quotas may need. `progress` hears
/// after each report what is known and how many targets are done with.
///
/// # Errors
/// If a part ends unasked, or panics.
pub async fn poll_once(
    config: &Config,
    overrides: Overrides,
    wanted: &dyn Fn(&Account) -> bool,
    patience: Option<Duration>,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&Snapshot, usize),
) -> anyhow::Result<Polled> {
    let (clock, anchor) = (Clock::System, Instant::now());
    let config = &Config { start_window: Duration::ZERO, ..config.clone() };
    let aws = Aws::load(overrides, config.limits.max_in_flight).await;
    let mut fleet = Arc::new(config.fleet(aws.region()));
    let (reports, mut received) = mpsc::channel(REPORTS);
    let (broker, credentials) = Broker::new(aws.clone(), config, &fleet, reports.clone(), clock).await;
    let liveness = Arc::new(Liveness::new());
    let (to_broker, adoptions) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(named("credential broker", broker.run(adoptions, CancellationToken::new())));
    let mut stop = pin!(stop);
    let mut snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
    if !config.organizations.is_empty() {
        let listing = |outcomes| discovery::Surroundings {
            directory: AwsDirectory::new(aws.clone(), credentials.clone()),
            outcomes,
            reports: reports.clone(),
            liveness: Arc::clone(&liveness),
            clock,
            anchor,
            held: None,
        };
        let patience = patience.unwrap_or(FOR_EVER);
        let end = pin!(async {
            tokio::select! {
                () = stop.as_mut() => Ended::Stopped,
                () = sleep(patience) => Ended::TimeUp,
            }
        });
        let called = roll::call(config, &fleet, listing, &mut received, wanted, end, &mut tasks);
        let Roll { rosters, outcomes, ended } = called.await?;
        fleet = go_over(config, &aws, &fleet, &rosters, &to_broker).await;
        snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
        for (name, (at, outcome)) in outcomes {
            if let Some(state) = snapshot.organization_mut(&name) {
                state.record(at, outcome);
            }
        }
        if let Some(ended) = ended {
            tasks.shutdown().await;
            return Ok(Polled { snapshot, ended });
        }
    }
    let mut tally = Tally::new(snapshot);
    let prober = AwsProber::new(aws, credentials);
    let around = Arc::new(Surroundings { prober, reports, liveness, clock, anchor, held: None });
    let (assignment, _released) =
        assignment(config, Arc::clone(&fleet), Arc::default(), Arc::default(), Inheritance::default());
    let (orders, _) = watch::channel(Orders { assignment, is_settled: true });
    // What finding the accounts took is taken off what there is for asking for them.
    let patience = patience.map(|patience| patience.saturating_sub(anchor.elapsed()));
    let patience = sleep(patience.unwrap_or_else(|| sufficient(&fleet)));
    let mut seeds = fastrand::Rng::new();
    for (index, _) in (0..).zip(&fleet.scopes).filter(|(_, scope)| !scope.targets.is_empty()) {
        let poller = Poller::new(Arc::clone(&around), orders.subscribe(), ScopeId(index), seeds.u64(..));
        let run = poller.asking_once().run();
        tasks.spawn(named(format!("poller of quota scope {index}"), async { drop(run.await) }));
    }
    let mut patience = pin!(patience);
    let ended = loop {
        progress(&tally.snapshot, tally.done);
        if tally.done == fleet.targets.len() {
            break Ended::Complete;
        }
        tokio::select! {
            biased;
            () = &mut stop => break Ended::Stopped,
            Some(report) = received.recv() => tally.take(report),
            () = &mut patience => break Ended::TimeUp,
            ended = unasked(&mut tasks) => return Err(ended),
        }
    };
    // What is still under way is of no use to anybody.
    tasks.shutdown().await;
    Ok(Polled { snapshot: tally.snapshot, ended })
}

/// The fleet with those who were found, which the broker then knows, too.
async fn go_over(
    config: &Config,
    aws: &Aws,
    before: &Fleet,
    rosters: &Rosters,
    to_broker: &mpsc::Sender<aws::Adoption>,
) -> Arc<Fleet> {
    let found = config.fleet_with(aws.region(), rosters);
    let fleet = Arc::new(Fleet { generation: before.generation.next(), ..found });
    let (done, heard) = oneshot::channel();
    let adoption = aws::Adoption {
        needed: Needed::of(config, &fleet),
        chains: None,
        redefined: Arc::default(),
        fleet: Arc::clone(&fleet),
        succession: Arc::new(Succession::between(before, &fleet, &HashSet::new())),
        done,
    };
    // A broker that has ended is found out by whoever waits for its tasks.
    if to_broker.send(adoption).await.is_ok() {
        let _ = heard.await;
    }
    fleet
}

/// How long every target can take at most to have its turn, twice over, and [`PATIENCE`].
fn sufficient(fleet: &Fleet) -> Duration {
    let turns = |targets: usize, limit: f64| targets as f64 / limit;
    let slowest = fleet.scopes.iter().map(|scope| match scope.service {
        // At most a session for each target.
        Service::Sts => turns(fleet.targets.len(), scope.limit),
        Service::FleetWise | Service::Account => turns(scope.targets.len(), scope.limit),
        // By now the organizations have been listed.
        Service::Organizations => 0.0,
    });
    let seconds = slowest.fold(0.0, f64::max);
    PATIENCE + Duration::try_from_secs_f64(2.0 * seconds).unwrap_or_default()
}

/// What came in so far.
struct Tally {
    snapshot: Snapshot,
    is_done: Vec<bool>,
    done: usize,
}

impl Tally {
    fn new(snapshot: Snapshot) -> Self {
        Self { is_done: vec![false; snapshot.targets.len()], done: 0, snapshot }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Polled { poll, scope, pacing, .. } => {
                let place = poll.target.0 as usize;
                self.snapshot.pace(scope, pacing);
                let state = Arc::make_mut(&mut self.snapshot.targets[place]);
                let has_answer = is_conclusive(&poll.outcome);
                state.record(poll);
                state.next_poll = None;
                let gives_up = has_no_credentials(state) && !self.is_sts_throttled();
                if (has_answer || gives_up) && !std::mem::replace(&mut self.is_done[place], true) {
                    self.done += 1;
                }
            }
            Report::Paced { scope, pacing, .. } => self.snapshot.pace(scope, pacing),
            Report::Caller { .. } | Report::Refreshed(_) | Report::Listed { .. } => {}
        }
    }

    fn is_sts_throttled(&self) -> bool {
        let mut scopes = self.snapshot.fleet.sts_scopes.values();
        scopes.any(|scope| self.snapshot.scopes[scope.0 as usize].pacing.throttled > 0)
    }
}

/// Whether credentials were wished for often enough.
fn has_no_credentials(state: &TargetState) -> bool {
    let reason = FailureReason::Credentials;
    state.failure.as_ref().is_some_and(|failure| failure.reason == reason)
        && state.failures.of(reason) >= CREDENTIALS_TRIES
}
