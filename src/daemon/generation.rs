//! The configuration in force, everything that follows it, and how the next takes its place.
//!
//! What can fail is done before, and changes nothing: see `reload`. What is left goes in this order: the
//! tracker, which from then on understands both generations; the broker, so that whoever signs in does so
//! under the new identities; the pollers, which let go of what they no longer poll; and when all of them
//! have, what is new begins to be polled.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::reload::Next;
use super::sinks::Sinks;
use super::unasked;
use crate::aws::{self, Aws};
use crate::config::Config;
use crate::http::Door;
use crate::metrics::Metrics;
use crate::model::{Fleet, ScopeId, Succession};
use crate::poller::{Assignment, Finish, Orders, Poller, Surroundings};
use crate::probe::AwsProber;
use crate::reload::{Refused, Requests};
use crate::service::Announcer;
use crate::store::Store;
use crate::tracker;

/// What a generation needs, and does not change with it.
pub(super) struct Lasting {
    /// The file to read anew; `None` for a configuration that came from nowhere.
    pub(super) config_file: Option<PathBuf>,
    pub(super) door: Arc<Door>,
    pub(super) aws: Aws,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) around: Arc<Surroundings<AwsProber>>,
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
    orders: watch::Sender<Orders>,
    /// Ends when nobody holds the assignment in force any more.
    released: mpsc::Receiver<Infallible>,
    stop: CancellationToken,
    pollers: JoinSet<Option<String>>,
    seeds: fastrand::Rng,
}

impl Generations {
    /// The first: starts a poller for each scope that has targets.
    pub(super) fn start(lasting: Lasting, fleet: Arc<Fleet>, sinks: Sinks) -> Self {
        let config = Arc::clone(&lasting.applied.borrow());
        let (assignment, released) =
            assignment(config.start_window, Arc::clone(&fleet), Arc::default(), Arc::default());
        let mut generations = Self {
            lasting,
            sinks,
            orders: watch::Sender::new(Orders { assignment, is_settled: true }),
            released,
            stop: CancellationToken::new(),
            pollers: JoinSet::new(),
            seeds: fastrand::Rng::new(),
            fleet: Arc::clone(&fleet),
        };
        let all = 0..u32::try_from(fleet.scopes.len()).expect("a scope's place fits its id");
        generations.start_pollers(all.map(ScopeId));
        generations
    }

    /// Reads the configuration anew whenever it is asked to. Ends only when a poller or a sink has ended
    /// unasked.
    pub(super) async fn follow(&mut self, requests: &mut Requests) -> anyhow::Error {
        loop {
            tokio::select! {
                ended = unasked(&mut self.pollers) => return ended,
                ended = unasked(self.sinks.tasks()) => return ended,
                Some(request) = requests.next() => request.answer(self.reload().await),
            }
        }
    }

    /// Lets the next generation take over.
    ///
    /// # Errors
    /// If a part of the daemon has ended: then all of it will.
    pub(super) async fn adopt(&mut self, next: Next) -> Result<(), Refused> {
        let Next { config, fleet, succession, redefined, kept, webhooks, needed, chains } = next;
        let Lasting { aws, store, around, .. } = &self.lasting;
        let ending = || Refused("regwatch is shutting down".to_owned());

        let (done, heard) = oneshot::channel();
        let now = around.clock.now();
        let adoption = tracker::Adoption {
            fleet: Arc::clone(&fleet),
            succession: Arc::clone(&succession),
            kept,
            now,
            done,
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
        let (assignment, released) =
            assignment(config.start_window, Arc::clone(&fleet), succession, redefined);
        let new_scopes = assignment.succession.new_scopes().to_vec();
        drop(self.orders.send_replace(Orders { assignment, is_settled: false }));
        // Nothing is ever sent: it ends with the last holder.
        let _ = std::mem::replace(&mut self.released, released).recv().await;
        self.orders.send_modify(|orders| orders.is_settled = true);
        self.fleet = fleet;
        self.start_pollers(new_scopes);
        self.sinks.adopt(webhooks).await;
        self.lasting.metrics.config_loaded(now);
        self.lasting.applied.send_replace(config);
        Ok(())
    }

    /// Starts a poller for each of these scopes that has targets.
    fn start_pollers(&mut self, scopes: impl IntoIterator<Item = ScopeId>) {
        for scope in scopes {
            if self.fleet.scope(scope).targets.is_empty() {
                continue;
            }
            let (around, orders) = (Arc::clone(&self.lasting.around), self.orders.subscribe());
            let poller = Poller::new(around, orders, scope, self.seeds.u64(..));
            let stop = self.stop.clone();
            // An async block would keep room for the poller beside its loop.
            self.pollers.spawn(poller.run(stop).map(|finish| match finish {
                Finish::Stopped(who) => Some(who.to_string()),
                Finish::Dissolved => None,
            }));
        }
    }

    /// Tells the pollers to stop. What is left are the tasks, to be joined in their order.
    pub(super) fn end(self) -> (JoinSet<Option<String>>, Sinks) {
        self.stop.cancel();
        (self.pollers, self.sinks)
    }
}

/// What the pollers are told of a generation, and what ends when the last of them has let go of it.
pub(super) fn assignment(
    start_window: Duration,
    fleet: Arc<Fleet>,
    succession: Arc<Succession>,
    redefined: Arc<HashSet<Arc<str>>>,
) -> (Arc<Assignment>, mpsc::Receiver<Infallible>) {
    let (held, released) = mpsc::channel(1);
    (Arc::new(Assignment { fleet, succession, redefined, start_window, held }), released)
}
