//! A sink that posts what is written to a store in memory.

use std::sync::Arc;

use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::model::{Entry, Status};
use regwatch::sink::{Change, Progress, Sink, Webhook};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::sinks::Events;

/// A sink at work, and its log.
pub(crate) struct Posting {
    log: Events,
    pub(crate) progress: Arc<Progress>,
    /// The sink ends when no change of it can come any more.
    _held: mpsc::Sender<Change<Arc<Webhook>>>,
    draining: CancellationToken,
    task: JoinSet<()>,
}

impl Posting {
    /// To a URL, with whatever else the configuration of the webhook has.
    pub(crate) async fn start(url: &str, more: &str) -> Self {
        let yaml = format!(
            "identities: {{hub: {{}}}}
accounts: [{{id: '111122223333', govcloud: {{identity: hub}}}}]
events: {{webhooks: [{{name: fleet-ops, url: '{url}'{more}}}]}}\n"
        );
        let (config, _) = Config::parse("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}"));
        let webhook =
            Webhook::open(&config.webhooks[0], Clock::System).unwrap_or_else(|error| panic!("{error}"));
        let (name, on, log) = (Arc::clone(webhook.name()), webhook.on().clone(), Events::new().await);
        let sink =
            Sink::open(name, on, Arc::new(webhook), log.0.clone(), Clock::System).await.expect("opened");
        let (progress, draining) = (sink.progress(), CancellationToken::new());
        let mut task = JoinSet::new();
        let (held, changes) = mpsc::channel(1);
        task.spawn(sink.run(changes, draining.clone()));
        Self { log, progress, _held: held, draining, task }
    }

    pub(crate) async fn append(&self, to: Status) -> Entry {
        self.log.append(to, Clock::System.now()).await
    }

    pub(crate) async fn end(mut self) -> Arc<Progress> {
        self.draining.cancel();
        self.task.join_next().await.expect("it runs").expect("no panic");
        self.progress
    }
}
