//! `regwatch run`: the daemon.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::sync::{oneshot, watch};

use super::Web;
use super::signal::{Hangup, Termination};
use crate::aws::Overrides;
use crate::config::Config;
use crate::daemon::{Daemon, Options};
use crate::http::Door;
use crate::reload::Watch;
use crate::service::Systemd;
use crate::telemetry::Telemetry;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    /// Read the configuration anew when the file changes, as SIGHUP does
    #[arg(long = "config.watch")]
    watch: bool,

    #[command(flatten)]
    web: Web,
}

impl Run {
    pub(super) fn execute(self, telemetry: &Telemetry) -> anyhow::Result<()> {
        block_on(async {
            let hangup = Hangup::listen()?;
            let watch = match self.watch {
                true => Some(Watch::begin(self.config.clone()).await),
                false => None,
            };
            let loaded = Config::load(&self.config).map_err(anyhow::Error::from);
            let log = |wrong: String| wrong.lines().for_each(|line| tracing::error!("{line}"));
            let ((config, warnings), door) = super::both(loaded, self.web.door(), log)?;
            telemetry.configure(config.log.as_ref());
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            let daemon = bind(config, Some(self.config), &self.web, door, Overrides::default()).await?;
            let (trigger, applied) = (daemon.trigger(), daemon.applied());
            let watching = async {
                match watch {
                    Some(watch) => watch.run(trigger).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = until_signalled(daemon, hangup) => ended,
                never = watching => match never {},
                never = obey(telemetry, applied) => match never {},
            }
        })
    }
}

/// Has the log follow the configuration in force.
async fn obey(telemetry: &Telemetry, mut applied: watch::Receiver<Arc<Config>>) -> Infallible {
    while applied.changed().await.is_ok() {
        telemetry.configure(applied.borrow_and_update().log.as_ref());
    }
    // The daemon is ending, and the log with it.
    std::future::pending().await
}

/// A runtime for the rest of the process's life.
pub(super) fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(work)
}

/// Makes a daemon ready to run.
pub(super) async fn bind(
    config: Config,
    config_file: Option<PathBuf>,
    web: &Web,
    door: Arc<Door>,
    overrides: Overrides,
) -> anyhow::Result<Daemon> {
    let (listen, grace, lifecycle) = (web.listen.clone(), web.grace, web.lifecycle);
    let manager = Systemd::of_environment();
    Daemon::bind(config, Options { config_file, listen, door, grace, overrides, lifecycle, manager }).await
}

/// Runs a daemon until the first signal, which ends it in order, or the second, which ends it at once.
/// SIGHUP has the configuration read anew.
pub(super) async fn until_signalled(daemon: Daemon, mut hangup: Hangup) -> anyhow::Result<()> {
    let mut signals = Termination::listen().context("cannot listen for signals")?;
    let trigger = daemon.trigger().because("SIGHUP");
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let run = daemon.run(async {
        // Dropped unsent only when the daemon is gone already.
        let _ = stopped.await;
    });
    let mut run = std::pin::pin!(run);
    // Beside the others: an end need not wait for a configuration to be read.
    let reload = async {
        loop {
            hangup.next().await;
            // What came of it is logged where it is answered.
            let _ = trigger.pull().await;
        }
    };
    let mut reload = std::pin::pin!(reload);
    loop {
        tokio::select! {
            done = &mut run => return done,
            never = &mut reload => match never {},
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
