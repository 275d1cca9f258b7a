//! One process: what `daemon` wires, without sockets.
//!
//! Pollers, tracker and the way from one generation to the next are the daemon's own. Left out are STS and
//! the broker of credentials (`aws` signs in), the slots that all calls of a process share, the store's
//! SQLite (`ledger` keeps), the sinks, HTTP, and the service manager.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use fastrand::Rng;
use regwatch::aws::{List, Listed};
use regwatch::config::Config;
use regwatch::daemon::Loops;
use regwatch::discovery;
use regwatch::liveness::Liveness;
use regwatch::metrics::Metrics;
use regwatch::model::{Failure, Fleet, Region, Report, Snapshot, Succession};
use regwatch::poller::{Inheritance, Surroundings};
use regwatch::probe::Directory;
use regwatch::store::TargetKey;
use regwatch::tracker::{Adoption, Tracker, restore};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::aws::Aws;
use super::journal::Entry;
use super::ledger::Paper;
use super::settings::{Ms, Settings};

/// As the daemon's.
const REPORTS: usize = 1024;

/// Whom the configurations of this world, which name no organization, never ask.
struct Nobody;

impl Directory for Nobody {
    async fn list(&self, _: Arc<str>, _: List, _: Option<String>) -> Result<Listed, Failure> {
        panic!("there is no organization to list")
    }
}

pub(crate) struct Life {
    aws: Aws,
    paper: Paper,
    around: Arc<Surroundings<Aws>>,
    config: Config,
    fleet: Arc<Fleet>,
    loops: Loops<Aws, Nobody>,
    to_tracker: mpsc::Sender<Adoption>,
    tracker: JoinSet<()>,
    look: watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<Metrics>,
}

/// What has to be gone when a process has ended.
pub(crate) struct Remains {
    around: Weak<Surroundings<Aws>>,
    fleet: Weak<Fleet>,
    metrics: Weak<Metrics>,
}

impl Remains {
    /// What is still there.
    pub(crate) fn left(&self) -> Vec<&'static str> {
        let left = [
            (self.around.strong_count(), "the pollers' surroundings"),
            (self.fleet.strong_count(), "the fleet"),
            (self.metrics.strong_count(), "the metrics"),
        ];
        left.into_iter().filter(|(count, _)| *count > 0).map(|(_, what)| what).collect()
    }
}

fn read(settings: &Settings) -> Config {
    Config::parse("weeks.yaml", &settings.yaml()).unwrap_or_else(|error| panic!("{error}")).0
}

fn fleet(config: &Config) -> Fleet {
    config.fleet(&Region::new("us-east-1"))
}

impl Life {
    /// Starts a process.
    pub(crate) async fn begin(aws: &Aws, paper: &Paper, settings: &Settings, seed: u64) -> Self {
        let config = read(settings);
        let fleet = Arc::new(fleet(&config));
        let clock = {
            let sky = &mut *aws.sky();
            sky.hubs = settings.hubs;
            let watched = Arc::new(sky.names.watched(settings));
            sky.note(Entry::Begun(watched));
            sky.clock
        };
        let liveness = Arc::new(Liveness::new());
        let metrics = Arc::new(Metrics::new());
        let mut snapshot = Snapshot::new(Arc::clone(&fleet), clock.now());
        restore(&mut snapshot, paper.states());
        let (tracker, look) = Tracker::new(snapshot, paper.clone(), Arc::clone(&metrics), &liveness);
        let (reports, received) = mpsc::channel(REPORTS);
        let (to_tracker, adoptions) = mpsc::channel(1);
        let anchor = Instant::now();
        let listing = discovery::Surroundings {
            directory: Nobody,
            outcomes: mpsc::channel(1).0,
            reports: reports.clone(),
            liveness: Arc::clone(&liveness),
            clock,
            anchor,
            held: None,
        };
        let around =
            Arc::new(Surroundings { prober: aws.clone(), reports, liveness, clock, anchor, held: None });
        let (polling, listing) = (Arc::clone(&around), Arc::new(listing));
        let inheritance = Inheritance::default();
        let loops = Loops::start(polling, listing, &config, &fleet, inheritance, Rng::with_seed(seed));
        let mut tasks = JoinSet::new();
        tasks.spawn(tracker.run(received, adoptions));
        let (aws, paper) = (aws.clone(), paper.clone());
        let life =
            Self { aws, paper, around, config, fleet, loops, to_tracker, tracker: tasks, look, metrics };
        life.name_callers(settings).await;
        life
    }

    /// STS tells at once who is behind each identity.
    async fn name_callers(&self, settings: &Settings) {
        for hub in 0..settings.hubs.kin.len() {
            let report =
                Report::Caller { identity: format!("hub-{hub}").into(), account: settings.hubs.account(hub) };
            self.around.reports.send(report).await.expect("the tracker is there");
        }
    }

    /// Lets another configuration take over, as the daemon does; what is still there that should have gone.
    pub(crate) async fn reload(&mut self, settings: &Settings, takes: Ms) -> Vec<&'static str> {
        let config = read(settings);
        let next = Fleet { generation: self.fleet.generation.next(), ..fleet(&config) };
        let redefined = Arc::new(config.redefined(&self.config));
        let succession = Arc::new(Succession::between(&self.fleet, &next, &redefined));
        let next = Arc::new(next);
        let new: HashSet<_> =
            succession.new_targets().iter().map(|&id| TargetKey::from(next.target(id))).collect();
        let mut kept = self.paper.states();
        kept.retain(|(key, _)| new.contains(key));
        sleep(Duration::from_millis(takes)).await;
        let (done, heard) = oneshot::channel();
        let adoption = Adoption {
            fleet: Arc::clone(&next),
            succession: Arc::clone(&succession),
            ended: Vec::new(),
            kept,
            now: self.around.clock.now(),
            done,
            written: oneshot::channel().0,
        };
        {
            let sky = &mut *self.aws.sky();
            sky.hubs = settings.hubs;
            let watched = Arc::new(sky.names.watched(settings));
            sky.note(Entry::Reloaded(watched));
        }
        self.to_tracker.send(adoption).await.expect("the tracker is there");
        heard.await.expect("the tracker adopts");
        self.loops.adopt(&config, &next, succession, redefined, Inheritance::default()).await;
        self.config = config;
        let before = Arc::downgrade(&std::mem::replace(&mut self.fleet, next));
        self.name_callers(settings).await;
        if before.strong_count() > 0 { vec!["the fleet of the generation before"] } else { vec![] }
    }

    /// What is wrong with the tasks.
    pub(crate) fn trouble(&mut self) -> Vec<String> {
        let mut trouble = Vec::new();
        while let Some(ended) = self.loops.tasks().try_join_next() {
            match ended {
                Ok(None) => {}
                Ok(Some(name)) => trouble.push(format!("the {name} ended by itself")),
                Err(panic) => trouble.push(panicked(panic)),
            }
        }
        let scopes = self.fleet.scopes.iter().filter(|scope| !scope.targets.is_empty()).count();
        if self.loops.tasks().len() != scopes {
            trouble.push(format!("{} pollers poll {scopes} scopes", self.loops.tasks().len()));
        }
        if let Some(Err(panic)) = self.tracker.try_join_next() {
            trouble.push(panicked(panic));
        }
        if let Err(stuck) = self.around.liveness.check(Instant::now()) {
            trouble.push(stuck.to_string());
        }
        if self.around.reports.capacity() < REPORTS / 2 {
            trouble.push("reports wait for the tracker".to_owned());
        }
        trouble
    }

    /// The page of metrics as of now.
    pub(crate) fn page(&self) -> String {
        self.metrics.render(Arc::clone(&self.look.borrow()), self.around.clock.now())
    }

    /// Ends it, by force or in order.
    pub(crate) async fn end(self, killed: bool) -> (Vec<String>, Remains) {
        let Self { aws, around, fleet, loops, to_tracker, mut tracker, metrics, look, .. } = self;
        let remains = Remains {
            around: Arc::downgrade(&around),
            fleet: Arc::downgrade(&fleet),
            metrics: Arc::downgrade(&metrics),
        };
        drop((around, fleet, metrics, look));
        let mut trouble = Vec::new();
        let mut tasks = loops.end();
        if killed {
            tasks.abort_all();
            tracker.abort_all();
        } else {
            aws.sky().note(Entry::Stopping);
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(panic) = ended {
                trouble.extend(panic.is_panic().then(|| panicked(panic)));
            }
        }
        while let Some(ended) = tracker.join_next().await {
            if let Err(panic) = ended {
                trouble.extend(panic.is_panic().then(|| panicked(panic)));
            }
        }
        drop(to_tracker);
        aws.sky().note(Entry::Ended { killed });
        (trouble, remains)
    }
}

fn panicked(error: JoinError) -> String {
    format!("a task ended by a defect: {error}")
}
