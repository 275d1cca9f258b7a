//! `regwatch demo`: a daemon on top of a simulated AWS, to be looked at.

use anyhow::Context;
use clap::Args;

use super::Web;
use super::run::{bind, block_on, until_signalled};
use super::signal::Hangup;
use crate::aws::Overrides;
use crate::config::Config;
use crate::sim::Sim;
use crate::sim::demo::{Demo as Scene, demo_world};

#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    web: Web,
}

impl Demo {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let Scene { world, access_key, config, sights } = demo_world();
        let (config, _) = Config::parse("the demo's configuration", &config)?;
        let door = self.web.door()?;
        let scheme = if door.is_encrypted() { "https" } else { "http" };
        block_on(async {
            let hangup = Hangup::listen()?;
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

/// What to open and what to look at.
fn guide(url: &str, aws: &str) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "regwatch".to_owned());
    format!(
        "regwatch watches a simulated AWS ({aws}) with a dozen accounts. Open

  {url}/           where to go from there
  {url}/metrics    what Prometheus scrapes
  {url}/-/ready    whether every quota scope was asked, or is known from before
  {url}/api/v1/targets

or watch what changes, as it happens:

  curl -sN {url}/api/v1/events/stream
  {program} events --follow --url {url}

What happens, by the second:
"
    )
}
