//! `regwatch poll`: everything asked once, now, and what to do about what is not well.

mod advice;
mod json;
mod progress;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use self::progress::Bar;
use self::verdict::{Bounds, Judged};
use super::run::block_on;
use super::signal::Termination;
use super::terminal::{Look, print};
use crate::aws::Overrides;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::daemon::{Ended, poll_once};
use crate::model::{Account, Probe, Snapshot};

/// What `--help` says below the options.
pub(super) const AFTER_HELP: &str = "\
Exit status:
  0    all is well; what is pending has not been for long
  1    something needs somebody: a registration failed or is missing, or something is pending for longer than --max-pending, or a GovCloud account is suspended or closed, or a state is none that regwatch knows
  2    something could not be asked, or an organization not be listed, whatever else there is; or the command line is wrong
  78   the configuration is wrong
  130  Ctrl-C ended it, and what was known by then is written

Standard output has the table or the JSON, and nothing else. The JSON is one object with
  asked_at     when it began: RFC 3339, UTC
  ended        complete, time_up (see --timeout) or stopped (by a signal)
  exit_status  as above
  summary      how many targets there are, and how many of each verdict
  items        the targets
  unlisted     organizations that could not be listed, each with organization, reason, message and advice

Each target has all that /api/v1/targets of the daemon tells of it, under the same names, and
  verdict          well, pending, overdue, needs_attention or not_asked
  pending_seconds  how long it is pending, by AWS's own times; null where it is not, or AWS does not tell, as for GovCloud accounts
  advice           what to do about it, as a list of texts";

#[derive(Debug, Args)]
pub(super) struct Poll {
    /// Only targets of this account, by its id or its name; may be given more than once
    #[arg(long = "account", value_name = "ID|NAME")]
    accounts: Vec<String>,

    /// Only targets of this probe; may be given more than once
    #[arg(long = "probe", value_name = "PROBE", value_parser = super::word::<Probe>())]
    probes: Vec<Probe>,

    /// How the outcome is written: a table for people, or JSON for programs
    // The log has a `format` too.
    #[arg(id = "poll.format", long = "format", value_name = "FORMAT", default_value = "table")]
    format: Format,

    /// For how long something may be pending: a registration takes about five minutes
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = super::duration)]
    max_pending: Duration,

    /// How long all of it may take; what AWS still throttles then could not be asked [default: 5m, and twice
    /// what the quotas make it take]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    timeout: Option<Duration>,

    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
}

/// How the outcome is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: one JSON object.
    Json,
}

impl Poll {
    /// Its exit status; an error only where the configuration is wrong.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let mut status = verdict::NOT_ASKED;
        let done = block_on(async {
            status = self.poll().await?;
            Ok(())
        });
        match done {
            Err(error) if error.is::<ConfigError>() => return Err(error),
            // Its own failure must not pass for one that AWS told of.
            Err(error) => eprintln!("regwatch: {error:#}"),
            Ok(()) => {}
        }
        Ok(ExitCode::from(status))
    }

    async fn poll(&self) -> anyhow::Result<u8> {
        let config = self.narrowed(super::load(&self.config)?)?;
        let mut signals = Termination::listen().context("cannot listen for signals")?;
        let mut signalled = None;
        let bar = Bar::on_stderr();
        let asked_at = Clock::System.now();
        let stop = async { signalled = Some(signals.next().await) };
        let wanted = |account: &Account| self.wants(account);
        let progress = |snapshot: &Snapshot, done| bar.show(snapshot, done);
        let overrides = Overrides::default();
        let polled = poll_once(&config, overrides, &wanted, self.timeout, stop, progress).await;
        bar.clear();
        let polled = polled?;
        self.check_found(&polled.snapshot)?;
        let bounds = Bounds { max_pending: self.max_pending, now: Clock::System.now() };
        let judged = Judged::new(&polled.snapshot, bounds);
        let status = match signalled {
            // As a shell tells it: 128 and the signal's number.
            Some("SIGTERM") => 143,
            Some(_) => 130,
            None => judged.exit_status(),
        };
        match polled.ended {
            Ended::Complete => {}
            Ended::TimeUp => eprintln!("regwatch: the time was up before each target had its answer"),
            Ended::Stopped => eprintln!("regwatch: ended by a signal before each target had its answer"),
        }
        let text = match self.format {
            Format::Table => {
                let look = Look::of(&io::stdout());
                table::render(&judged, look) + &advice::render(&judged, look)
            }
            Format::Json => json::render(&judged, asked_at, polled.ended, status)?,
        };
        print(text.as_bytes())?;
        Ok(status)
    }

    /// The configuration with nothing in it but what is to be asked.
    fn narrowed(&self, mut config: Config) -> anyhow::Result<Config> {
        let file = self.config.display();
        // Who else there is, only a listing tells.
        for wanted in self.accounts.iter().filter(|_| config.organizations.is_empty()) {
            let mut accounts = config.accounts.iter().map(|watched| &watched.account);
            if !accounts.any(|account| is_called(account, wanted)) {
                bail!("{file} has no account with the id or the name {wanted}");
            }
        }
        let wants = |probe| self.probes.is_empty() || self.probes.contains(&probe);
        config.accounts.retain_mut(|watched| {
            watched.fleetwise = watched.fleetwise.take().filter(|_| wants(Probe::FleetWise));
            watched.govcloud = watched.govcloud.take().filter(|_| wants(Probe::GovCloud));
            self.wants(&watched.account) && (watched.fleetwise.is_some() || watched.govcloud.is_some())
        });
        for organization in &mut config.organizations {
            let organization = Arc::make_mut(organization);
            organization.fleetwise = organization.fleetwise.take().filter(|_| wants(Probe::FleetWise));
            organization.govcloud = organization.govcloud.take().filter(|_| wants(Probe::GovCloud));
        }
        config
            .organizations
            .retain(|organization| organization.fleetwise.is_some() || organization.govcloud.is_some());
        if config.accounts.is_empty() && config.organizations.is_empty() {
            let probes: Vec<_> = self.probes.iter().map(|probe| probe.as_str()).collect();
            let whom = if self.accounts.is_empty() { "any account" } else { "these accounts" };
            bail!("nothing to ask: {file} does not watch {} of {whom}", probes.join(" or "));
        }
        Ok(config)
    }

    /// Whether an account is among those that are named, or none is.
    fn wants(&self, account: &Account) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|wanted| is_called(account, wanted))
    }

    /// Whether each account that was named is there, as far as organizations could be listed.
    fn check_found(&self, snapshot: &Snapshot) -> anyhow::Result<()> {
        if snapshot.organizations.iter().any(|state| state.last_success.is_none()) {
            return Ok(());
        }
        for wanted in &self.accounts {
            if !snapshot.fleet.accounts.iter().any(|account| is_called(account, wanted)) {
                let file = self.config.display();
                bail!(
                    "{file} has no account with the id or the name {wanted}, and neither has an organization"
                );
            }
        }
        Ok(())
    }
}

fn is_called(account: &Account, wanted: &str) -> bool {
    *account.name == *wanted || account.id.to_string() == wanted
}
