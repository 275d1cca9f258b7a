//! The configuration in force, everything that follows it, and how the next takes its place.
//!
//! What can fail is done before, and changes nothing: see `reload`. What is left goes in this order: the
//! tracker, which from then on understands both generations; the broker, so that whoever signs in does so
//! under the new identities; the pollers, which let go of what they no longer poll; and when all of them
//! have, what is new begins to be polled.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::pollers::Pollers;
use super::reload::Next;
use super::sinks::Sinks;
use super::unasked;
use crate::aws::{self, Aws};
use crate::config::Config;
use crate::http::Door;
use crate::metrics::Metrics;
use crate::model::Fleet;
use crate::poller::Surroundings;
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
    pollers: Pollers<AwsProber>,
}

impl Generations {
    /// The first: starts a poller for each scope that has targets.
    pub(super) fn start(lasting: Lasting, fleet: Arc<Fleet>, sinks: Sinks) -> Self {
        let config = Arc::clone(&lasting.applied.borrow());
        let around = Arc::clone(&lasting.around);
        let pollers = Pollers::start(around, Arc::clone(&fleet), config.start_window, fastrand::Rng::new());
        Self { lasting, fleet, sinks, pollers }
    }

    /// Reads the configuration anew whenever it is asked to. Ends only when a poller or a sink has ended
    /// unasked.
    pub(super) async fn follow(&mut self, requests: &mut Requests) -> anyhow::Error {
        loop {
            tokio::select! {
                ended = unasked(self.pollers.tasks()) => return ended,
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
        self.pollers.adopt(Arc::clone(&fleet), succession, redefined, config.start_window).await;
        self.fleet = fleet;
        self.sinks.adopt(webhooks).await;
        self.lasting.metrics.config_loaded(now);
        self.lasting.applied.send_replace(config);
        Ok(())
    }

    /// Tells the pollers to stop. What is left are the tasks, to be joined in their order.
    pub(super) fn end(self) -> (JoinSet<Option<String>>, Sinks) {
        (self.pollers.end(), self.sinks)
    }
}
