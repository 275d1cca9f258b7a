//! The configuration in force, everything that follows it, and how the next takes its place.
//!
//! What can fail is done before, and changes nothing: see `reload`. What is left goes in this order: the
//! tracker, which from then on understands both generations; the broker, so that whoever signs in does so
//! under the new identities; the pollers, which let go of what they no longer poll; and when all of them
//! have, what is new begins to be polled.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::discovered::Found;
use super::inheritance::{Kept, Timing};
use super::loops::Loops;
use super::reload::{Fresh, Next};
use super::replicas::Replicas;
use super::sinks::Sinks;
use super::tasks::unasked;
use crate::aws::{self, Aws};
use crate::config::Config;
use crate::discovery::{self, Outcome};
use crate::http::Door;
use crate::metrics::Metrics;
use crate::model::Fleet;
use crate::poller::Surroundings;
use crate::probe::{AwsDirectory, AwsProber};
use crate::reload::{Refused, Requests};
use crate::service::Announcer;
use crate::store::Store;
use crate::tracker;

/// How often it is looked whom other replicas have found in organizations.
const HEAR_OF_OTHERS: Duration = Duration::from_secs(10);

/// What a generation needs, and does not change with it.
pub(super) struct Lasting {
    /// The file to read anew; `None` for a configuration that came from nowhere.
    pub(super) config_file: Option<PathBuf>,
    pub(super) door: Arc<Door>,
    pub(super) aws: Aws,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) around: Arc<Surroundings<AwsProber>>,
    pub(super) listing: Arc<discovery::Surroundings<AwsDirectory>>,
    pub(super) to_tracker: mpsc::Sender<tracker::Adoption>,
    pub(super) to_broker: mpsc::Sender<aws::Adoption>,
    pub(super) applied: watch::Sender<Arc<Config>>,
    pub(super) announcer: Announcer,
}

/// The generation in force, at work.
pub(super) struct Generations {
    pub(super) lasting: Lasting,
    pub(super) fleet: Arc<Fleet>,
    pub(super) sinks: Sinks,
    pub(super) found: Found,
    /// This replica among others; `None` where there is but one.
    pub(super) replicas: Option<Replicas>,
    outcomes: mpsc::Receiver<Outcome>,
    loops: Loops<AwsProber, AwsDirectory>,
}

impl Generations {
    /// The first: starts a loop for each scope.
    pub(super) fn start(
        lasting: Lasting,
        fleet: Arc<Fleet>,
        kept: &Kept,
        found: Found,
        replicas: Option<Replicas>,
        outcomes: mpsc::Receiver<Outcome>,
        sinks: Sinks,
    ) -> Self {
        let config = Arc::clone(&lasting.applied.borrow());
        let (around, listing) = (Arc::clone(&lasting.around), Arc::clone(&lasting.listing));
        let timing = Timing { clock: around.clock, anchor: around.anchor, start_window: config.start_window };
        let inheritance = kept.inheritance(&fleet, &[], timing, replicas.is_some());
        let loops = Loops::start(around, listing, &config, &fleet, inheritance, fastrand::Rng::new());
        Self { lasting, fleet, sinks, found, replicas, outcomes, loops }
    }

    /// Reads the configuration anew whenever it is asked to, and goes along with what is found in
    /// organizations. Ends only when a loop or a sink has ended unasked.
    pub(super) async fn follow(&mut self, requests: &mut Requests) -> anyhow::Error {
        let mut looks = interval(HEAR_OF_OTHERS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = self.found.next_turn(&self.config(), self.lasting.around.clock.now());
            tokio::select! {
                ended = unasked(self.loops.tasks()) => return ended,
                ended = unasked(self.sinks.tasks()) => return ended,
                Some(request) = requests.next() => request.answer(self.reload().await),
                Some(outcome) = self.outcomes.recv() => self.listed(outcome).await,
                () = dealt_anew(&mut self.replicas) => self.deal_anew().await,
                _ = looks.tick(), if self.replicas.is_some() => self.hear_of_others().await,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.catch_up().await,
            }
        }
    }

    /// Lets the next generation take over.
    ///
    /// # Errors
    /// If a part of the daemon has ended: then all of it will.
    pub(super) async fn adopt(&mut self, next: Next) -> Result<(), Refused> {
        let Next { config, fleet, whole, succession, redefined, kept, needed, fresh } = next;
        let Lasting { aws, store, around, .. } = &self.lasting;
        let ending = || Refused("regwatch is shutting down".to_owned());

        let (webhooks, chains) = match fresh {
            Some(Fresh { webhooks, chains, rosters }) => {
                self.found.rosters = rosters;
                (Some(webhooks), Some(chains))
            }
            None => (None, None),
        };
        let timing = Timing { clock: around.clock, anchor: around.anchor, start_window: config.start_window };
        let inheritance = kept.inheritance(&fleet, succession.new_targets(), timing, self.replicas.is_some());
        let ended = self.found.ending(&self.fleet, &succession);
        self.found.adopt(&self.fleet, &ended, &fleet, &succession);

        let (done, heard) = oneshot::channel();
        let (written, all_written) = oneshot::channel();
        let now = around.clock.now();
        let adoption = tracker::Adoption {
            fleet: Arc::clone(&fleet),
            succession: Arc::clone(&succession),
            ended,
            kept: kept.states,
            now,
            done,
            written,
        };
        self.lasting.to_tracker.send(adoption).await.map_err(|_| ending())?;
        heard.await.map_err(|_| ending())?;

        let (done, heard) = oneshot::channel();
        let adoption = aws::Adoption {
            needed,
            chains,
            redefined: Arc::clone(&redefined),
            fleet: Arc::clone(&fleet),
            succession: Arc::clone(&succession),
            done,
        };
        self.lasting.to_broker.send(adoption).await.map_err(|_| ending())?;
        heard.await.map_err(|_| ending())?;

        aws.set_max_in_flight(config.limits.max_in_flight);
        store.set_bounds(&config.store);
        self.loops.adopt(&config, &fleet, succession, redefined, inheritance).await;
        self.fleet = fleet;
        if let (Some(replicas), Some(whole)) = (&self.replicas, whole) {
            replicas.show(whole);
        }
        if let Some(webhooks) = webhooks {
            // Before a sink is dismissed, or its lease could come back with nobody left to let go of it.
            if let Some(replicas) = &self.replicas {
                replicas.adopt(&config);
            }
            self.sinks.adopt(webhooks).await;
            self.lasting.metrics.config_loaded(now);
            self.lasting.applied.send_replace(config);
        }
        if let Some(replicas) = &mut self.replicas {
            replicas.let_go(&self.fleet, all_written);
        }
        Ok(())
    }

    /// Tells the loops to stop. What is left are the tasks, to be joined in their order.
    pub(super) fn end(self) -> (JoinSet<Option<String>>, Sinks, Option<Replicas>) {
        (self.loops.end(), self.sinks, self.replicas)
    }
}

/// Waits until this replica holds something else; for ever where it is alone.
async fn dealt_anew(replicas: &mut Option<Replicas>) {
    match replicas {
        Some(replicas) => replicas.changed().await,
        None => std::future::pending().await,
    }
}
