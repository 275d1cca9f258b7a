//! `regwatch check-config`: whether a configuration is sound, and what it asks of AWS's quotas.

use std::path::PathBuf;

use clap::Args;

use super::plan;
use crate::clock::Clock;
use crate::model::Region;
use crate::sink::Webhook;

#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// The configuration
    #[arg(value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    /// Leave alone the files that it names: secrets and templates of webhooks
    #[arg(long)]
    syntax_only: bool,
}

impl CheckConfig {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let config = super::load(&self.config)?;
        if !self.syntax_only {
            Webhook::open_all(&config.webhooks, Clock::System)?;
        }
        // Where STS is called depends on the environment of the daemon, and the plan does not show it.
        let fleet = config.fleet(&Region::new("us-east-1"));
        println!("{}: sound", self.config.display());
        println!();
        print!("{}", plan::render(&fleet));
        Ok(())
    }
}
