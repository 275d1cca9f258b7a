//! The wiring: what runs, who hears from whom, and in which order it ends.
//!
//! Every long-lived task is joined here. One that ends without having been asked to ends the daemon,
//! loudly: a process that looks alive with a dead loop inside is the worst of failures.

mod sinks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
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
use crate::reload::{self, Refused, Requests, Trigger};
use crate::schedule::Capacity;
use crate::store::Store;
use crate::tracker::{Tracker, restore};

use self::sinks::Sinks;

/// Reports that may wait for the tracker: a second's worth of the thousand polls a second that the daemon
/// is built for. It takes in a million a second, so a full channel means a stuck tracker, and pollers
/// that wait for it call no more.
const REPORTS: usize = 1024;

/// What a task that did not end, but was ended by a defect, is.
const PANICKED: &str = "a part of the daemon panicked";

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to serve HTTP.
    pub listen: Vec<SocketAddr>,
    /// How long calls in flight and open responses may take to end.
    pub grace: Duration,
    /// What takes the place of the environment.
    pub overrides: Overrides,
    /// What is read when the configuration is to be read anew; `None` if there is no file.
    pub config_file: Option<PathBuf>,
    /// Whether a request over HTTP may have it read anew.
    pub lifecycle: bool,
}

/// A daemon that is ready to run: its addresses are bound, its store is open, and nothing was called yet.
pub struct Daemon {
    server: Bound,
    store: Store,
    sinks: Sinks,
    /// Of how many targets the store knew; `None` for one in memory, which knows nothing.
    known: Option<usize>,
    metrics: Arc<Metrics>,
    tracker: Tracker<Store>,
    received: mpsc::Receiver<Report>,
    broker: Broker,
    around: Arc<Surroundings<AwsProber>>,
    ending: CancellationToken,
    grace: Duration,
    config_file: Option<PathBuf>,
    trigger: Trigger,
    requests: Requests,
    applied: watch::Sender<Arc<Config>>,
}

impl Daemon {
    /// Opens the store and the sinks, binds the addresses, and wires everything up.
    ///
    /// # Errors
    /// If the store or a file of a webhook cannot be used, or an address cannot be bound.
    pub async fn bind(config: Config, options: Options) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let store = Store::open(&config.store).await?;
        let sinks = Sinks::open(&config.webhooks, &store, clock).await?;
        let aws = Aws::load(options.overrides, config.limits.max_in_flight).await;
        let fleet = Arc::new(config.fleet(aws.region()));
        let liveness = Arc::new(Liveness::new(fleet.scopes.len()));
        let metrics = Arc::new(Metrics::new().with_sinks(sinks.progress()));
        let mut snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
        let known = restore(&mut snapshot, store.states().await?);
        let (tracker, look) =
            Tracker::new(snapshot, store.clone(), Arc::clone(&metrics), Arc::clone(&liveness));
        let ending = CancellationToken::new();
        let (trigger, requests) = reload::channel();
        let view = View {
            snapshot: look,
            store: store.clone(),
            metrics: Arc::clone(&metrics),
            liveness: Arc::clone(&liveness),
            clock,
            stopping: ending.clone(),
            reload: options.lifecycle.then(|| trigger.because("a request over HTTP")),
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
        let known = config.store.path.is_some().then_some(known);
        let grace = options.grace;
        let (applied, _) = watch::channel(Arc::new(config));
        Ok(Self {
            server,
            store,
            sinks,
            known,
            metrics,
            tracker,
            received,
            broker,
            around,
            ending,
            grace,
            config_file: options.config_file,
            trigger,
            requests,
            applied,
        })
    }

    /// Where HTTP is served.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// What has the configuration read anew.
    pub fn trigger(&self) -> Trigger {
        self.trigger.clone()
    }

    /// The configuration in force.
    pub fn applied(&self) -> watch::Receiver<Arc<Config>> {
        self.applied.subscribe()
    }

    /// Runs until `stop` is ready, then ends in the order in which the data flows.
    ///
    /// # Errors
    /// If a part ends unasked, or panics.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        announce(&self.around.fleet, self.known);
        let [stop_pollers, stop_broker, stop_sinks, stop_http] = [(); 4].map(|()| CancellationToken::new());
        let mut pollers = self.pollers(&stop_pollers);
        let mut recording = JoinSet::new();
        recording.spawn(named("tracker", self.tracker.run(self.received)));
        recording.spawn(named("credential broker", self.broker.run(stop_broker.clone())));
        let mut delivering = self.sinks.spawn(&self.store, self.around.clock, self.metrics, &stop_sinks);
        let mut serving = JoinSet::new();
        let server = self.server.serve(stop_http.clone().cancelled_owned(), self.grace);
        serving.spawn(named("HTTP server", server));
        // From here on only tasks hold senders of reports, so the channel closes when the last has ended.
        drop(self.around);

        tokio::select! {
            ended = unasked(&mut pollers) => return Err(ended),
            ended = unasked(&mut recording) => return Err(ended),
            ended = unasked(&mut delivering) => return Err(ended),
            ended = unasked(&mut serving) => return Err(ended),
            () = placeholder(self.requests, self.config_file, self.applied) => {}
            () = stop => {}
        }

        self.ending.cancel();
        let deadline = Instant::now() + self.grace;
        stop_pollers.cancel();
        within(deadline, &mut pollers, "calls in flight").await?;
        stop_broker.cancel();
        all(&mut recording).await?;
        stop_sinks.cancel();
        within(deadline, &mut delivering, "deliveries to sinks").await?;
        stop_http.cancel();
        all(&mut serving).await?;
        self.store.close().await;
        tracing::info!("ended in order");
        Ok(())
    }

    /// Starts a poller for each scope that has targets.
    fn pollers(&self, stop: &CancellationToken) -> JoinSet<String> {
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
                format!("poller of quota scope {index}")
            });
        }
        pollers
    }
}

/// Stands for the reload until it is merged: it reads the file and takes nothing of it over.
async fn placeholder(
    mut requests: Requests,
    config_file: Option<PathBuf>,
    applied: watch::Sender<Arc<Config>>,
) {
    while let Some(request) = requests.next().await {
        let loaded = match &config_file {
            Some(file) => {
                Config::load(file).map_err(|error| Refused(format!("{:#}", anyhow::Error::from(error))))
            }
            None => Err(Refused("there is no configuration file to read".to_owned())),
        };
        request.answer(loaded.map(|(config, _)| drop(applied.send_replace(Arc::new(config)))));
    }
    std::future::pending().await
}

/// A long-lived task that tells at its end which it was.
async fn named(name: impl Into<String>, task: impl Future<Output = ()>) -> String {
    task.await;
    name.into()
}

/// Waits for a task that ends without having been asked to; for ever while there is none.
async fn unasked(tasks: &mut JoinSet<String>) -> anyhow::Error {
    match tasks.join_next().await {
        Some(Ok(name)) => anyhow::anyhow!("the {name} ended by itself"),
        Some(Err(panic)) => anyhow::Error::new(panic).context(PANICKED),
        None => std::future::pending().await,
    }
}

/// Waits for every task of a set, and gives up those that outlast the deadline.
async fn within(deadline: Instant, tasks: &mut JoinSet<String>, what: &str) -> anyhow::Result<()> {
    match timeout_at(deadline, all(tasks)).await {
        Ok(ended) => ended,
        Err(_) => {
            let open = tasks.len();
            tracing::warn!(open, "the grace period is over: giving up {what}");
            tasks.shutdown().await;
            Ok(())
        }
    }
}

/// Waits for every task of a set.
async fn all(tasks: &mut JoinSet<String>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context(PANICKED)?;
    }
    Ok(())
}

/// Says what is watched, what is known of it from before, and where a quota is too small for the cadence
/// that is asked of it.
fn announce(fleet: &Fleet, known: Option<usize>) {
    if known.is_none() {
        tracing::info!("no store is configured: what is known, and events, end with this process");
    }
    let scopes = fleet.scopes.iter().filter(|scope| !scope.targets.is_empty());
    tracing::info!(
        accounts = fleet.accounts.len(),
        targets = fleet.targets.len(),
        quota_scopes = scopes.clone().count(),
        known_from_before = known,
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
