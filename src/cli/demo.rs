//! `regwatch demo`: a daemon on top of a simulated AWS, to be looked at.

use anyhow::Context;
use aws_credential_types::Credentials;
use clap::Args;
use tokio::task::JoinSet;

use super::Web;
use super::run::{bind, block_on, until_signalled};
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
        block_on(async {
            let Scene { world, access_key, config, sights } = demo_world();
            let (config, _) = Config::parse("the demo's configuration", &config)?;
            let sim = Sim::bind(world, ([127, 0, 0, 1], 0).into())
                .await
                .context("no port for the simulated AWS")?;
            let overrides = Overrides {
                endpoint_url: Some(sim.url()),
                credentials: Some(Credentials::new(access_key.id, access_key.secret, None, None, "demo")),
            };
            let aws = sim.url();
            let mut simulation = JoinSet::new();
            simulation.spawn(sim.run(std::future::pending()));
            let daemon = bind(config, &self.web, overrides).await?;
            let address = daemon.local_addrs()[0];
            println!("regwatch watches a simulated AWS ({aws}) with a dozen accounts. Open");
            println!();
            println!("  http://{address}/metrics     what Prometheus scrapes");
            println!("  http://{address}/-/ready     whether every quota scope was asked once");
            println!("  http://{address}/            where to go from there");
            println!();
            println!("and watch the log below, or what changes on the page:");
            println!();
            println!("  curl -s http://{address}/metrics | grep '^regwatch_transitions_total'");
            println!();
            println!("What happens, by the second:");
            println!();
            for (at, what) in sights {
                println!("  {:>3} s  {what}", at.as_secs());
            }
            println!();
            println!("Ctrl-C ends it.");
            println!();
            until_signalled(daemon).await
        })
    }
}
