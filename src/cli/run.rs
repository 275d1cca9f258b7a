//! `regwatch run`: the daemon.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::sync::oneshot;

use super::Web;
use super::signal::Termination;
use crate::aws::Overrides;
use crate::config::Config;
use crate::daemon::{Daemon, Options};

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    #[command(flatten)]
    web: Web,
}

impl Run {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let config = super::load(&self.config)?;
        block_on(async {
            let daemon = bind(config, &self.web, Overrides::default()).await?;
            until_signalled(daemon).await
        })
    }
}

/// A runtime for the rest of the process's life.
pub(super) fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(work)
}

/// Makes a daemon ready to run.
pub(super) async fn bind(config: Config, web: &Web, overrides: Overrides) -> anyhow::Result<Daemon> {
    let options = Options { listen: web.listen.clone(), grace: web.grace, overrides };
    Daemon::bind(config, options).await
}

/// Runs a daemon until the first signal, which ends it in order, or the second, which ends it at once.
pub(super) async fn until_signalled(daemon: Daemon) -> anyhow::Result<()> {
    let mut signals = Termination::listen().context("cannot listen for signals")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let run = daemon.run(async {
        // Dropped unsent only when the daemon is gone already.
        let _ = stopped.await;
    });
    let mut run = std::pin::pin!(run);
    loop {
        tokio::select! {
            done = &mut run => return done,
            name = signals.next() => match stop.take() {
                Some(stop) => {
                    tracing::info!("{name}: ending in order; a second signal ends at once");
                    let _ = stop.send(());
                }
                None => anyhow::bail!("{name}: ended at once, by a second signal"),
            },
        }
    }
}
