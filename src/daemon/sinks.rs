//! The sinks of the daemon: opened together, each then a task of its own.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::named;
use crate::clock::Clock;
use crate::config::{self, On};
use crate::metrics::Metrics;
use crate::sink::{Log, Progress, Sink, Webhook};
use crate::store::Store;

/// What hears of events, each from its own place in the log.
pub(super) struct Sinks {
    log: Sink<Store, Log>,
    webhooks: Vec<Sink<Store, Webhook>>,
}

impl Sinks {
    /// Opens all that there are, before anything is written: a sink that is new begins with what comes
    /// from now on.
    pub(super) async fn open(
        webhooks: &[config::Webhook],
        store: &Store,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let log = Sink::open(Log::NAME.into(), On::everything(), Log, store.clone(), clock).await?;
        let mut opened = Vec::new();
        for webhook in Webhook::open_all(webhooks, clock)? {
            let (name, on) = (Arc::clone(webhook.name()), webhook.on().clone());
            opened.push(Sink::open(name, on, webhook, store.clone(), clock).await?);
        }
        Ok(Self { log, webhooks: opened })
    }

    /// How far each has come.
    pub(super) fn progress(&self) -> Vec<Arc<Progress>> {
        let webhooks = self.webhooks.iter().map(Sink::progress);
        std::iter::once(self.log.progress()).chain(webhooks).collect()
    }

    /// Starts them, and what drops the events that all of them are done with. They end when they have
    /// delivered everything after `draining` was cancelled.
    pub(super) fn spawn(
        self,
        store: &Store,
        clock: Clock,
        metrics: Arc<Metrics>,
        draining: &CancellationToken,
    ) -> JoinSet<String> {
        let names: Vec<String> = self.progress().iter().map(|progress| progress.sink().to_owned()).collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(named(format!("sink {}", names[0]), self.log.run(draining.clone())));
        for (name, webhook) in names[1..].iter().zip(self.webhooks) {
            tasks.spawn(named(format!("sink {name}"), webhook.run(draining.clone())));
        }
        let (store, draining) = (store.clone(), draining.clone());
        tasks.spawn(named("retention of the store", async move {
            let dropped = |events| metrics.store_dropped(events);
            draining.run_until_cancelled(store.keep_house(clock, &names, dropped)).await;
        }));
        tasks
    }
}
