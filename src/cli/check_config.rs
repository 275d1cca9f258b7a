//! `regwatch check-config`: whether a configuration is sound, and what it asks of AWS's quotas.

use std::path::PathBuf;

use clap::Args;

use super::plan;
use crate::clock::Clock;
use crate::config::Web;
use crate::http::Door;
use crate::model::Region;
use crate::sink::Webhook;

#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// The configuration
    #[arg(value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    /// Leave alone the files that it names: secrets and templates of webhooks, certificates and keys
    #[arg(long)]
    syntax_only: bool,

    /// Check a web configuration as well
    #[arg(long = "web.config.file", value_name = "FILE")]
    web: Option<PathBuf>,
}

impl CheckConfig {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let (config, ()) =
            super::both(super::load(&self.config), self.check_web(), |wrong| eprintln!("{wrong}"))?;
        if !self.syntax_only {
            Webhook::open_all(&config.webhooks, Clock::System)?;
        }
        // Where STS is called depends on the environment of the daemon, and the plan does not show it.
        let fleet = config.fleet(&Region::new("us-east-1"));
        for path in [Some(&self.config), self.web.as_ref()].into_iter().flatten() {
            println!("{}: sound", path.display());
        }
        println!();
        print!("{}", plan::render(&fleet));
        Ok(())
    }

    fn check_web(&self) -> anyhow::Result<()> {
        let Some(path) = &self.web else { return Ok(()) };
        let warnings =
            if self.syntax_only { Web::load(path)?.1 } else { Door::open(path, false, Clock::System)?.1 };
        for warning in warnings {
            eprintln!("{warning}");
        }
        Ok(())
    }
}
