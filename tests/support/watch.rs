//! A whole daemon in this process, and how to look at it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use regwatch::aws::Overrides;
use regwatch::config::Config;
use regwatch::daemon::{Daemon, Options};
use regwatch::reload::Trigger;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::page::Page;

/// A daemon at work.
pub(crate) struct Watch {
    pub(crate) url: String,
    stop: CancellationToken,
    daemon: JoinSet<anyhow::Result<()>>,
    client: reqwest::Client,
}

impl Watch {
    pub(crate) async fn start(yaml: &str, overrides: Overrides) -> Self {
        let (config, _) = Config::parse("test.yaml", yaml).unwrap_or_else(|error| panic!("{error}"));
        Self::of_config(config, None, overrides).await.0
    }

    /// The same, whose configuration may have come from a file; and what the daemon offers its own process.
    pub(crate) async fn of_config(
        config: Config,
        config_file: Option<PathBuf>,
        overrides: Overrides,
    ) -> (Self, Trigger, watch::Receiver<Arc<Config>>) {
        let (listen, grace) = (vec![([127, 0, 0, 1], 0).into()], Duration::from_secs(20));
        let options = Options {
            config_file,
            listen,
            door: Arc::default(),
            grace,
            overrides,
            lifecycle: false,
            manager: None,
        };
        let daemon = Daemon::bind(config, options).await.expect("a free port");
        let (trigger, applied) = (daemon.trigger(), daemon.applied());
        let url = format!("http://{}", daemon.local_addrs()[0]);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(daemon.run(stop.clone().cancelled_owned()));
        (Self { url, stop, daemon: tasks, client: reqwest::Client::new() }, trigger, applied)
    }

    /// What a path answers: its status and its text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    pub(crate) async fn scrape(&self) -> Page {
        Page::of(&self.client, &self.url).await
    }

    /// Scrapes until a page is as described.
    pub(crate) async fn until(&self, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        Page::until(&self.client, &self.url, described, is_so).await
    }

    /// Scrapes until a series has a value.
    pub(crate) async fn until_is(&self, series: &str, value: f64) -> Page {
        self.until(&format!("{series} is {value}"), |page| page.value(series) == Some(value)).await
    }

    /// Ends it in order.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        let ended = self.daemon.join_next().await.expect("it runs");
        ended.expect("no panic").expect("ended in order");
    }
}
