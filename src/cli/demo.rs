//! `regwatch demo`: a daemon on top of a simulated AWS, to be looked at.

mod past;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::Web;
use super::run::{bind, block_on, until_signalled};
use super::signal::Hangup;
use crate::aws::Overrides;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::Region;
use crate::sim::Sim;
use crate::sim::demo::{Demo as Scene, demo_world};
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    web: Web,
}

impl Demo {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let Scene { world, access_key, config, sights } = demo_world();
        let (mut config, _) = Config::parse("the demo's configuration", &config)?;
        let folder = Folder::make()?;
        config.store.path = Some(folder.0.join("regwatch.db"));
        let door = self.web.door()?;
        let scheme = if door.is_encrypted() { "https" } else { "http" };
        block_on(async {
            let hangup = Hangup::listen()?;
            // Where STS is called has no past.
            let fleet = config.fleet(&Region::new("us-east-1"));
            let store = Store::open(&config.store).await?;
            past::invent(&store, &fleet, Clock::System.now()).await?;
            store.close().await;
            let sim = Sim::bind(world, ([127, 0, 0, 1], 0).into()).await;
            let sim = sim.context("no port for the simulated AWS")?;
            let overrides = Overrides::simulated(sim.url(), &access_key.id, &access_key.secret);
            let daemon = bind(config, None, &self.web, door, overrides).await?;
            println!("{}", guide(&format!("{scheme}://{}", daemon.local_addrs()[0]), &sim.url()));
            for (at, what) in sights {
                println!("  {:>3} s  {what}", at.as_secs());
            }
            println!("\nCtrl-C ends it. The log:\n");
            tokio::select! {
                ended = until_signalled(daemon, hangup) => ended,
                () = sim.run(std::future::pending()) => anyhow::bail!("the simulated AWS ended by itself"),
            }
        })
    }
}

/// A folder for the store, gone with the demo unless that is aborted.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let name = format!("regwatch-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies where things are cleared away sooner or later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What to open and what to look at.
fn guide(url: &str, aws: &str) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "regwatch".to_owned());
    format!(
        "regwatch watches a simulated AWS ({aws}) with a dozen accounts. Open

  {url}/           how all are doing, and what needs somebody; its past week is made up
  {url}/metrics    what Prometheus scrapes
  {url}/api/v1/targets

or watch what changes, as it happens:

  curl -sN {url}/api/v1/events/stream
  {program} events --follow --url {url}

What happens, by the second:
"
    )
}
