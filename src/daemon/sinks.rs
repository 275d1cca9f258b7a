//! The sinks of the daemon, each a task of its own, and how they follow the configuration.
//!
//! A webhook that is configured otherwise goes on from where it is; one whose files say the same as before
//! does not notice. One that is taken out ends at once, and its place in the log stays in the store.
//! Where several replicas share the store, each sink is delivered to by the one that holds its lease.

mod leased;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tasks::named;
use crate::clock::Clock;
use crate::config::{self, On};
use crate::lease::Tenancy;
use crate::metrics::Metrics;
use crate::model::Claim;
use crate::sink::{Change, Deliver, Log, Progress, Sink, Webhook};
use crate::store::Store;

/// A sink that posts.
type Posting = Sink<Store, Arc<Webhook>>;

/// What hears of events, opened and not at work yet.
pub(super) struct Ready {
    store: Store,
    clock: Clock,
    log: Sink<Store, Log>,
    webhooks: Opened,
}

/// What hears of events, each from its own place in the log.
pub(super) struct Sinks {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Where several replicas share the store.
    tenancy: Option<Tenancy>,
    /// Never used: the log goes on for as long as it is held.
    _log: mpsc::Sender<Change<Log>>,
    log_progress: Arc<Progress>,
    hooks: Vec<Hook>,
    /// Who may hold entries of the event log back.
    names: watch::Sender<Vec<String>>,
    /// Cancelled when nothing is written any more: what is there is delivered, and the tasks end.
    draining: CancellationToken,
    tasks: JoinSet<Option<String>>,
}

/// A webhook at work.
struct Hook {
    webhook: Arc<Webhook>,
    progress: Arc<Progress>,
    changes: mpsc::Sender<Change<Arc<Webhook>>>,
    /// Cancelled when it is taken out of the configuration.
    dismissed: CancellationToken,
}

/// Webhooks that are ready to take over, in the order of the configuration.
pub(super) struct Opened(Vec<(Arc<Webhook>, Option<Posting>)>);

impl Ready {
    /// Opens all that there are, before anything is written: a sink that is new begins with what comes
    /// from now on.
    pub(super) async fn open(
        webhooks: &[config::Webhook],
        store: &Store,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let log = Sink::open(Log::NAME.into(), On::everything(), Log, store.clone(), clock).await?;
        let webhooks = open(webhooks, store, clock, |_| true).await?;
        Ok(Self { store: store.clone(), clock, log, webhooks })
    }

    /// Sets them to work; where there are leases, each for as long as its own is held.
    pub(super) async fn start(self, metrics: Arc<Metrics>, tenancy: Option<Tenancy>) -> Sinks {
        let Self { store, clock, log, webhooks } = self;
        let (held, no_changes) = mpsc::channel(1);
        let mut sinks = Sinks {
            store,
            clock,
            metrics,
            tenancy,
            _log: held,
            log_progress: log.progress(),
            hooks: Vec::new(),
            names: watch::Sender::default(),
            draining: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        let log = sinks.deliver(log, no_changes);
        sinks.tasks.spawn(named(format!("sink {}", Log::NAME), log));
        sinks.adopt(webhooks).await;
        sinks.keep_house();
        sinks
    }
}

/// Reads the files of webhooks, and finds the places in the log of those that are new.
async fn open(
    webhooks: &[config::Webhook],
    store: &Store,
    clock: Clock,
    is_new: impl Fn(&str) -> bool,
) -> anyhow::Result<Opened> {
    let mut opened = Vec::new();
    for webhook in Webhook::open_all(webhooks, clock)?.into_iter().map(Arc::new) {
        let (name, on) = (Arc::clone(webhook.name()), webhook.on().clone());
        let posting = match is_new(&name) {
            true => Some(Sink::open(name, on, Arc::clone(&webhook), store.clone(), clock).await?),
            false => None,
        };
        opened.push((webhook, posting));
    }
    Ok(Opened(opened))
}

impl Sinks {
    /// Makes webhooks ready to take over, and changes nothing yet.
    ///
    /// # Errors
    /// If a file cannot be used, or the store.
    pub(super) async fn prepare(&self, webhooks: &[config::Webhook]) -> anyhow::Result<Opened> {
        let is_new = |name: &str| self.hooks.iter().all(|hook| &**hook.webhook.name() != name);
        open(webhooks, &self.store, self.clock, is_new).await
    }

    /// Puts webhooks in the place of those at work.
    pub(super) async fn adopt(&mut self, Opened(opened): Opened) {
        let before = std::mem::take(&mut self.hooks).into_iter();
        let mut before: HashMap<_, _> = before.map(|hook| (Arc::clone(hook.webhook.name()), hook)).collect();
        for (webhook, posting) in opened {
            match (before.remove(webhook.name()), posting) {
                (Some(mut hook), _) => {
                    if !hook.webhook.is_same(&webhook) {
                        let change = (webhook.on().clone(), Arc::clone(&webhook));
                        // It takes what it is sent at once; one that has panicked ends the daemon.
                        let _ = hook.changes.send(change).await;
                        hook.webhook = webhook;
                    }
                    self.hooks.push(hook);
                }
                (None, Some(posting)) => self.start(webhook, posting),
                (None, None) => unreachable!("what is not at work was opened"),
            }
        }
        for hook in before.into_values() {
            hook.dismissed.cancel();
        }
        let progress = self.hooks.iter().map(|hook| &hook.progress);
        let progress: Vec<_> = std::iter::once(&self.log_progress).chain(progress).map(Arc::clone).collect();
        self.names.send_replace(progress.iter().map(|progress| progress.sink().to_owned()).collect());
        self.metrics.show_sinks(progress);
    }

    fn start(&mut self, webhook: Arc<Webhook>, posting: Posting) {
        let (changes, received) = mpsc::channel(1);
        let (progress, dismissed) = (posting.progress(), CancellationToken::new());
        let name = format!("sink {}", webhook.name());
        let delivering = self.deliver(posting, received);
        let is_dismissed = dismissed.clone();
        self.tasks.spawn(async move {
            delivering.await;
            (!is_dismissed.is_cancelled()).then_some(name)
        });
        self.hooks.push(Hook { webhook, progress, changes, dismissed });
    }

    /// Delivers to a sink for as long as it is this replica's.
    fn deliver<D: Deliver>(
        &self,
        sink: Sink<Store, D>,
        changes: mpsc::Receiver<Change<D>>,
    ) -> impl Future<Output = ()> + Send + use<D> {
        let (draining, tenancy) = (self.draining.clone(), self.tenancy.clone());
        async move {
            match tenancy {
                Some(tenancy) => leased::deliver(sink, changes, draining, tenancy).await,
                None => sink.run(changes, draining).await,
            }
        }
    }

    /// Starts what drops the events that all sinks are done with.
    fn keep_house(&mut self) {
        let (store, clock, metrics) = (self.store.clone(), self.clock, Arc::clone(&self.metrics));
        let (names, draining) = (self.names.subscribe(), self.draining.clone());
        let tenancy = self.tenancy.clone();
        self.tasks.spawn(named("retention of the store", async move {
            let keep = async |claim: Option<Claim>| {
                store.keep_house(clock, &names, claim.as_ref(), |events| metrics.store_dropped(events)).await;
            };
            match tenancy {
                Some(tenancy) => leased::keep_house(tenancy, draining, |claim| keep(Some(claim))).await,
                None => {
                    draining.run_until_cancelled(keep(None)).await;
                }
            }
        }));
    }

    /// Its tasks.
    pub(super) fn tasks(&mut self) -> &mut JoinSet<Option<String>> {
        &mut self.tasks
    }

    /// Says that nothing is written any more. The tasks end when they have delivered what is there.
    pub(super) fn drain(&self) {
        self.draining.cancel();
    }
}
