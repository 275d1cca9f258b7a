//! The wiring: what runs, who hears from whom, and in which order it ends.
//!
//! Every long-lived task is joined here. One that ends without having been asked to ends the daemon,
//! loudly: a process that looks alive with a dead loop inside is the worst of failures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, Broker, Overrides};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{Bound, Server, View};
use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::model::{Fleet, Report, ScopeId, Snapshot};
use crate::poller::{Poller, Surroundings};
use crate::probe::AwsProber;
use crate::schedule::Capacity;
use crate::store::Store;
use crate::tracker::Tracker;

/// Reports that may wait for the tracker: a second's worth of the thousand polls a second that the daemon
/// is built for. It takes in a million a second, so a full channel means a stuck tracker, and pollers
/// that wait for it call no more.
const REPORTS: usize = 1024;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to serve HTTP.
    pub listen: Vec<SocketAddr>,
    /// How long calls in flight and open responses may take to end.
    pub grace: Duration,
    /// What takes the place of the environment.
    pub overrides: Overrides,
}

/// A daemon that is ready to run: its addresses are bound, and nothing was called yet.
pub struct Daemon {
    server: Bound,
    tracker: Tracker,
    received: mpsc::Receiver<Report>,
    broker: Broker,
    around: Arc<Surroundings<AwsProber>>,
    ending: CancellationToken,
    grace: Duration,
}

impl Daemon {
    /// Binds the addresses and wires everything up.
    ///
    /// # Errors
    /// If an address cannot be bound.
    pub async fn bind(config: Config, options: Options) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let aws = Aws::load(options.overrides, config.limits.max_in_flight).await;
        let fleet = Arc::new(config.fleet(aws.region()));
        let liveness = Arc::new(Liveness::new(fleet.scopes.len()));
        let metrics = Arc::new(Metrics::new());
        let snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
        let (tracker, look) = Tracker::new(snapshot, Arc::clone(&metrics), Arc::clone(&liveness));
        let ending = CancellationToken::new();
        let store = Store::open(&config.store).await?;
        let view = View {
            snapshot: look,
            store,
            metrics,
            liveness: Arc::clone(&liveness),
            clock,
            stopping: ending.clone(),
        };
        let server = Server::new(view).bind(&options.listen)?;
        let (reports, received) = mpsc::channel(REPORTS);
        let (broker, credentials) = Broker::new(aws.clone(), &config, &fleet, reports.clone(), clock).await;
        let around = Arc::new(Surroundings {
            prober: AwsProber::new(aws, credentials),
            start_window: config.start_window,
            anchor: Instant::now(),
            fleet,
            reports,
            liveness,
            clock,
        });
        Ok(Self { server, tracker, received, broker, around, ending, grace: options.grace })
    }

    /// Where HTTP is served.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// Runs until `stop` is ready, then ends in the order in which the data flows.
    ///
    /// # Errors
    /// If a part ends unasked, or panics.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let fleet = Arc::clone(&self.around.fleet);
        announce(&fleet);
        let [stop_pollers, stop_broker, stop_http] = [(); 3].map(|()| CancellationToken::new());
        let mut pollers = self.pollers(&stop_pollers);
        let mut rest = JoinSet::new();
        let server = self.server.serve(stop_http.clone().cancelled_owned(), self.grace);
        rest.spawn(async {
            server.await;
            "HTTP server"
        });
        rest.spawn(async {
            self.tracker.run(self.received).await;
            "tracker"
        });
        let stop_asking = stop_broker.clone();
        rest.spawn(async {
            self.broker.run(stop_asking).await;
            "credential broker"
        });
        // From here on only tasks hold senders of reports, so the channel closes when the last has ended.
        drop(self.around);

        tokio::select! {
            Some(ended) = pollers.join_next() => anyhow::bail!("the poller of {:?} ended by itself", ended?),
            Some(ended) = rest.join_next() => anyhow::bail!("the {} ended by itself", ended?),
            () = stop => {}
        }

        self.ending.cancel();
        let deadline = Instant::now() + self.grace;
        stop_pollers.cancel();
        match timeout_at(deadline, all(&mut pollers)).await {
            Ok(ended) => ended?,
            Err(_) => {
                let calls = pollers.len();
                tracing::warn!(calls, "calls still in flight after the grace period are given up");
                pollers.shutdown().await;
            }
        }
        stop_broker.cancel();
        while rest.len() > 1 {
            rest.join_next().await.expect("there is more than one")?;
        }
        stop_http.cancel();
        all(&mut rest).await?;
        tracing::info!("ended in order");
        Ok(())
    }

    /// Starts a poller for each scope that has targets.
    fn pollers(&self, stop: &CancellationToken) -> JoinSet<ScopeId> {
        let mut pollers = JoinSet::new();
        let mut seeds = fastrand::Rng::new();
        for (index, scope) in (0..).zip(&self.around.fleet.scopes) {
            let id = ScopeId(index);
            if scope.targets.is_empty() {
                self.around.liveness.poller_rests(id);
                continue;
            }
            let poller = Poller::new(Arc::clone(&self.around), id, seeds.u64(..));
            let stop = stop.clone();
            pollers.spawn(async move {
                poller.run(stop).await;
                id
            });
        }
        pollers
    }
}

/// Waits for every task of a set.
async fn all<T: 'static>(tasks: &mut JoinSet<T>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the daemon panicked")?;
    }
    Ok(())
}

/// Says what is watched, and where a quota is too small for the cadence that is asked of it.
fn announce(fleet: &Fleet) {
    let scopes = fleet.scopes.iter().filter(|scope| !scope.targets.is_empty());
    tracing::info!(
        accounts = fleet.accounts.len(),
        targets = fleet.targets.len(),
        quota_scopes = scopes.clone().count(),
        "watching"
    );
    for scope in scopes {
        let capacity = Capacity::of(scope);
        if !capacity.keeps_intervals() {
            tracing::warn!(
                service = scope.service.as_str(),
                aws.region = %scope.region,
                targets = scope.targets.len(),
                wanted_requests_per_second = capacity.wanted,
                allowed_requests_per_second = capacity.allowed,
                sweep_seconds = capacity.sweep.as_secs(),
                "the quota is too small for the configured interval: polls come later than it asks"
            );
        }
    }
}
