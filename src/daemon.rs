//! The wiring: what runs, who hears from whom, and in which order it ends.
//!
//! Every long-lived task is joined here. One that ends without having been asked to ends the daemon,
//! loudly: a process that looks alive with a dead loop inside is the worst of failures.

mod announcement;
mod discovered;
mod generation;
mod inheritance;
mod loops;
mod once;
mod opening;
mod reload;
mod replicas;
mod sinks;
mod tasks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aws::{self, Aws, Broker, Overrides};
use crate::clock::Clock;
use crate::config::{Config, Rosters};
use crate::discovery::{self, Outcome};
use crate::http::{Anteroom, Bound, Door, Server, View};
use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::mirror::{self, Mirror};
use crate::model::{Fleet, Report, Snapshot};
use crate::poller::Surroundings;
use crate::probe::{AwsDirectory, AwsProber};
use crate::reload::{Requests, Trigger, channel};
use crate::service::{self, Announcer, Informant, Phase, Systemd};
use crate::store::Store;
use crate::tracker::{self, Tracker, restore};

use self::announcement::announce;
use self::discovered::{Found, dealt};
use self::generation::{Generations, Lasting};
use self::inheritance::Kept;
pub use self::loops::Loops;
pub use self::once::{Ended, Polled, poll_once};
use self::opening::Opened;
use self::replicas::{Keeping, Replicas};
use self::sinks::Ready;
use self::tasks::{all, named, unasked, within};

/// Reports that may wait for the tracker: a second's worth of the thousand polls a second that the daemon
/// is built for. It takes in a million a second, so a full channel means a stuck tracker, and pollers
/// that wait for it call no more.
const REPORTS: usize = 1024;

/// Listings that may wait to become a generation. Each loop has one at a time, and holds back another.
const OUTCOMES: usize = 4;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the configuration came from, to be read anew on request; `None` if from no file.
    pub config_file: Option<PathBuf>,
    /// Where to serve HTTP.
    pub listen: Vec<SocketAddr>,
    /// What stands before it.
    pub door: Arc<Door>,
    /// How long calls in flight and open responses may take to end.
    pub grace: Duration,
    /// What takes the place of the environment.
    pub overrides: Overrides,
    /// Whether a request over HTTP may have it read anew.
    pub lifecycle: bool,
    /// Who is told how it is doing, if anybody.
    pub manager: Option<Systemd>,
}

/// A daemon that is ready to run: its addresses are bound, its store is open, and nothing was called yet.
pub struct Daemon {
    server: Bound,
    sinks: Ready,
    /// Of how many targets the store knew; `None` for one in memory, which knows nothing.
    known: Option<usize>,
    tracker: Tracker<Store>,
    received: mpsc::Receiver<Report>,
    tracker_adoptions: mpsc::Receiver<tracker::Adoption>,
    broker: Broker,
    broker_adoptions: mpsc::Receiver<aws::Adoption>,
    lasting: Lasting,
    fleet: Arc<Fleet>,
    kept: Kept,
    found: Found,
    replicas: Option<Replicas>,
    keeping: Option<Keeping>,
    mirror: Option<Mirror<Store>>,
    outcomes: mpsc::Receiver<Outcome>,
    trigger: Trigger,
    requests: Requests,
    informant: Option<Informant<Systemd>>,
    ending: CancellationToken,
    grace: Duration,
}

impl Daemon {
    /// Opens the store and the sinks, binds the addresses, and wires everything up.
    ///
    /// # Errors
    /// If the store or a file of a webhook cannot be used, or an address cannot be bound.
    pub async fn bind(config: Config, options: Options) -> anyhow::Result<Self> {
        let Options { config_file, listen, door, grace, overrides, lifecycle, manager } = options;
        let clock = Clock::System;
        let anteroom = Anteroom::bind(&listen, Arc::clone(&door))?;
        let Opened { store, sinks, mut kept, rosters: saved } =
            Opened::open(&config, clock, &anteroom).await?;
        let aws = Aws::load(overrides, config.limits.max_in_flight).await;
        let listed_at: Vec<_> =
            saved.iter().map(|(name, saved)| (Arc::clone(name), saved.listed_at)).collect();
        let rosters: Rosters = saved.into_iter().map(|(name, saved)| (name, saved.roster)).collect();
        let (liveness, ending) = (Arc::new(Liveness::new()), CancellationToken::new());
        let (replicas, keeping) = Replicas::open(&config, &store, clock, &liveness, &ending).unzip();
        let shards = replicas.as_ref().map(Replicas::shards);
        let (fleet, whole) = dealt(config.fleet_with(aws.region(), &rosters), shards.as_ref());
        let fleet = Arc::new(fleet);
        if let (Some(replicas), Some(whole)) = (&replicas, whole) {
            replicas.show(whole);
        }
        let meters = keeping.as_ref().map(|keeping: &Keeping| &keeping.meters);
        let metrics = Metrics::new().with_store(store.troubles()).with_door(door.gauges());
        let metrics = Arc::new(metrics.with_leases(meters));
        metrics.config_loaded(clock.now());
        let mut snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
        let known = restore(&mut snapshot, std::mem::take(&mut kept.states));
        for (name, listed_at) in listed_at {
            if let Some(state) = snapshot.organization_mut(&name) {
                state.last_success = Some(listed_at);
            }
        }
        let (tracker, look) = Tracker::new(snapshot, store.clone(), Arc::clone(&metrics), &liveness);
        let (trigger, requests) = channel();
        let contact = keeping.as_ref().map(|keeping| keeping.keeper.contact());
        let seen = service::View {
            snapshot: look.clone(),
            contact: contact.clone(),
            liveness: Arc::clone(&liveness),
            clock,
        };
        let (informant, announcer) = match manager {
            Some(manager) => {
                let (informant, announcer) = Informant::new(manager, seen);
                (Some(informant), announcer)
            }
            None => (None, Announcer::default()),
        };
        let mirror = replicas.as_ref().zip(keeping.as_ref()).map(|(replicas, keeping)| {
            let roll = keeping.keeper.roll();
            let inputs = mirror::Inputs { fleet: replicas.whole(), local: look.clone(), roll };
            Mirror::new(store.clone(), inputs, keeping.me.clone(), replicas.count(), clock, &liveness)
        });
        let (mirror, whole) = mirror.unzip();
        let view = View {
            snapshot: look,
            whole,
            contact,
            store: store.clone(),
            metrics: Arc::clone(&metrics),
            liveness: Arc::clone(&liveness),
            clock,
            stopping: ending.clone(),
            reload: lifecycle.then(|| trigger.because("a request over HTTP")),
        };
        let server = anteroom.admit(Server::new(view));
        let (reports, received) = mpsc::channel(REPORTS);
        let (broker, credentials) = Broker::new(aws.clone(), &config, &fleet, reports.clone(), clock).await;
        let prober = AwsProber::new(aws.clone(), credentials.clone());
        let directory = AwsDirectory::new(aws.clone(), credentials);
        let (to_generations, outcomes) = mpsc::channel(OUTCOMES);
        // One for all replicas, and all times: whoever asks about a target, its place in time is the same.
        let anchor = clock.origin();
        let held = replicas.as_ref().map(Replicas::held);
        let listing = Arc::new(discovery::Surroundings {
            directory,
            outcomes: to_generations,
            reports: reports.clone(),
            liveness: Arc::clone(&liveness),
            clock,
            anchor,
            held: held.clone(),
        });
        let around = Arc::new(Surroundings { prober, reports, liveness, clock, anchor, held });
        // One at a time: a reload begins when the one before is done.
        let (to_tracker, tracker_adoptions) = mpsc::channel(1);
        let (to_broker, broker_adoptions) = mpsc::channel(1);
        let known = config.store.outlives_the_process().then_some(known);
        let applied = watch::Sender::new(Arc::new(config));
        let lasting = Lasting {
            config_file,
            door,
            aws,
            store,
            metrics,
            around,
            listing,
            to_tracker,
            to_broker,
            applied,
            announcer,
        };
        Ok(Self {
            server,
            sinks,
            known,
            tracker,
            received,
            tracker_adoptions,
            broker,
            broker_adoptions,
            lasting,
            fleet,
            kept,
            found: Found::new(rosters),
            replicas,
            keeping,
            mirror,
            outcomes,
            trigger,
            requests,
            informant,
            ending,
            grace,
        })
    }

    /// Where HTTP is served.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.server.local_addrs()
    }

    /// Asks the daemon to read its configuration anew.
    pub fn trigger(&self) -> Trigger {
        self.trigger.clone()
    }

    /// The configuration in force.
    pub fn applied(&self) -> watch::Receiver<Arc<Config>> {
        self.lasting.applied.subscribe()
    }

    /// Runs until `stop` is ready, then ends in the order in which the data flows.
    ///
    /// # Errors
    /// If a part ends unasked, or panics.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, tracker, broker, lasting, fleet, kept, mut requests, ending, grace, .. } = self;
        // Those that are left are of whoever may want a reload.
        drop(self.trigger);
        announce(&fleet, self.known);
        let [stop_broker, stop_http] = [(); 2].map(|()| CancellationToken::new());
        let (store, announcer) = (lasting.store.clone(), lasting.announcer.clone());
        let tenancy = self.replicas.as_ref().map(Replicas::tenancy);
        let sinks = self.sinks.start(Arc::clone(&lasting.metrics), tenancy).await;
        let mut generations =
            Generations::start(lasting, fleet, &kept, self.found, self.replicas, self.outcomes, sinks);
        let mut recording = JoinSet::new();
        recording.spawn(named("tracker", tracker.run(self.received, self.tracker_adoptions)));
        let broker = broker.run(self.broker_adoptions, stop_broker.clone());
        recording.spawn(named("credential broker", broker));
        let mut serving = JoinSet::new();
        let server = server.serve(stop_http.clone().cancelled_owned(), grace);
        serving.spawn(named("HTTP server", server));
        let mut keeping = JoinSet::new();
        let stop_keeping = CancellationToken::new();
        if let Some(Keeping { keeper, .. }) = self.keeping {
            keeping.spawn(named("keeper of leases", keeper.run(stop_keeping.clone(), grace)));
            let (store, stop) = (store.clone(), stop_keeping.clone());
            keeping.spawn(named("reader of what others write", async move {
                stop.run_until_cancelled(store.follow()).await;
            }));
        }
        if let Some(mirror) = self.mirror {
            let stop = stop_keeping.clone();
            keeping.spawn(named("mirror of the whole fleet", async move {
                stop.run_until_cancelled(mirror.run()).await;
            }));
        }
        let mut informing = JoinSet::new();
        if let Some(informant) = self.informant {
            informing.spawn(named("informant of the service manager", informant.run()));
        }

        tokio::select! {
            ended = generations.follow(&mut requests) => return Err(ended),
            ended = unasked(&mut recording) => return Err(ended),
            ended = unasked(&mut serving) => return Err(ended),
            ended = unasked(&mut informing) => return Err(ended),
            ended = unasked(&mut keeping) => return Err(ended),
            () = stop => {}
        }

        ending.cancel();
        announcer.tell(Phase::Stopping).await;
        all(&mut informing).await?;
        // Nobody waits for a reload that will not come.
        drop(requests);
        let deadline = Instant::now() + grace;
        // First, so that whatever ends from here on is handed over as soon as it has written what it had.
        stop_keeping.cancel();
        // From here on only tasks hold senders of reports, so the channel closes when the last has ended.
        let (mut pollers, mut sinks, replicas) = generations.end();
        within(deadline, &mut pollers, "calls in flight").await?;
        stop_broker.cancel();
        all(&mut recording).await?;
        if let Some(replicas) = replicas {
            replicas.let_go_of_all().await;
        }
        sinks.drain();
        within(deadline, sinks.tasks(), "deliveries to sinks").await?;
        all(&mut keeping).await?;
        stop_http.cancel();
        all(&mut serving).await?;
        store.close().await;
        tracing::info!("ended in order");
        Ok(())
    }
}
