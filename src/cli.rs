//! What a person types.

mod check_config;
mod completions;
mod demo;
#[cfg(test)]
mod documented;
mod events;
mod iam;
mod man;
mod plan;
mod poll;
mod run;
mod signal;
mod store;
mod terminal;
mod test_webhook;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, LogFilter};
use crate::http::{Door, DoorError};
use crate::model::Word;
use crate::sink::WebhookErrors;
use crate::telemetry::{self, Format};

/// The exit status for a configuration that cannot be used: `EX_CONFIG` of sysexits.h. A service manager
/// need not try again until somebody has mended it.
const EX_CONFIG: u8 = 78;

/// Watches AWS IoT FleetWise registrations and linked GovCloud accounts for Prometheus.
#[derive(Debug, Parser)]
#[command(name = "regwatch", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    log: Log,
}

#[derive(Debug, Args)]
struct Log {
    /// Which log lines are written: trace, debug, info, warn or error, and others for single modules, as in
    /// info,poller=debug,http=trace
    #[arg(long = "log.level", value_name = "FILTER", default_value_t, global = true)]
    level: LogFilter,

    /// How a log line looks
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text", global = true)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll what the configuration names, until told to stop
    ///
    /// Example: regwatch run --config.file /etc/regwatch/config.yaml --web.listen-address 0.0.0.0:9847 --web.config.file /etc/regwatch/web.yaml
    Run(run::Run),

    /// Say whether a configuration is sound, and what its cadence asks of each quota
    ///
    /// Example: regwatch check-config /etc/regwatch/config.yaml
    CheckConfig(check_config::CheckConfig),

    /// Ask once, now, and say what to do about what is not well
    ///
    /// It keeps to the same quotas as the daemon, and stores nothing. In a pipeline it waits for no change:
    /// it tells what is.
    ///
    /// Example: regwatch poll --account fleet-prod --probe fleetwise --config.file /etc/regwatch/config.yaml
    #[command(after_long_help = poll::AFTER_HELP)]
    Poll(poll::Poll),

    /// Print the policies and roles that AWS needs for a configuration, and no more than it needs
    ///
    /// Example: regwatch iam --format cloudformation --for member --config.file /etc/regwatch/config.yaml
    #[command(after_long_help = iam::AFTER_HELP)]
    Iam(iam::Iam),

    /// Tell what changed, from the running daemon, or from its store when none runs
    ///
    /// Example: regwatch events --follow --since 24h
    Events(events::Events),

    /// Move the store to another file or database
    ///
    /// Example: regwatch store copy --from /var/lib/regwatch/regwatch.db --to /etc/regwatch/config.yaml
    #[command(subcommand)]
    Store(store::Store),

    /// Send a sample event to a webhook, and show what it answers
    ///
    /// The event is marked as a sample, of account 000000000000 with the name "regwatch test". It is sent
    /// even if the webhook's `on` does not want it, and what it sets off is real: somebody may be paged.
    /// The answer is shown as it is, even where it repeats a secret.
    ///
    /// Example: regwatch test-webhook fleet-ops --config.file /etc/regwatch/config.yaml
    TestWebhook(test_webhook::TestWebhook),

    /// Watch a simulated AWS with a dozen accounts: no AWS account needed
    ///
    /// Example: regwatch demo
    Demo(demo::Demo),

    /// Print what makes a shell complete commands and options
    ///
    /// Example: regwatch completions bash >~/.local/share/bash-completion/completions/regwatch
    #[command(after_long_help = completions::AFTER_HELP)]
    Completions(completions::Completions),

    /// Print the manual page
    ///
    /// Example: regwatch man | man -l -
    #[command(after_long_help = man::AFTER_HELP)]
    Man(man::Man),
}

/// Where to serve and to whom, and how to end.
#[derive(Clone, Debug, Args)]
struct Web {
    /// Where to serve HTTP, as IP:PORT or :PORT; may be given more than once
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:9847",
          value_parser = listen_address)]
    listen: Vec<std::net::SocketAddr>,

    /// Let POST /-/reload have the configuration read anew, as SIGHUP does
    #[arg(long = "web.enable-lifecycle")]
    lifecycle: bool,

    /// TLS, passwords and headers of the HTTP server, as Prometheus' exporters have them; see
    /// deploy/web-config.example.yaml
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config: Option<PathBuf>,

    /// Answer /-/healthy and /-/ready without a password, for orchestrators that have none
    #[arg(long = "web.open-health", requires = "web_config")]
    open_health: bool,

    /// How long calls in flight and open responses may take to end after a signal
    #[arg(long = "shutdown.grace-period", value_name = "DURATION", default_value = "25s", value_parser = duration)]
    grace: Duration,
}

impl Web {
    /// What stands before the HTTP server; its warnings go to the log.
    fn door(&self) -> anyhow::Result<Arc<Door>> {
        let Some(path) = &self.web_config else { return Ok(Arc::default()) };
        let (door, warnings) = Door::open(path, self.open_health, Clock::System)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(Arc::new(door))
    }
}

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let telemetry = telemetry::init(cli.log.level, cli.log.format);
    let is_daemon = matches!(cli.command, Command::Run(_) | Command::Demo(_));
    let done = match cli.command {
        Command::Run(run) => run.execute(&telemetry).map(succeeded),
        Command::CheckConfig(check) => check.execute().map(succeeded),
        Command::Poll(poll) => poll.execute(),
        Command::Iam(iam) => iam.execute().map(succeeded),
        Command::Events(events) => events.execute().map(succeeded),
        Command::Store(store) => store.execute().map(succeeded),
        Command::TestWebhook(test) => test.execute().map(succeeded),
        Command::Demo(demo) => demo.execute().map(succeeded),
        Command::Completions(completions) => completions.execute().map(succeeded),
        Command::Man(man) => man.execute().map(succeeded),
    };
    let error = match done {
        Ok(status) => return status,
        Err(error) => error,
    };
    let is_of_configuration = is_of_configuration(&error);
    let text = format!("{error:#}");
    match is_of_configuration {
        // What a daemon has to say is in its log, from the first line to the last.
        _ if is_daemon => text.lines().for_each(|line| tracing::error!("{line}")),
        true => eprintln!("{text}"),
        false => eprintln!("regwatch: {text}"),
    }
    if is_of_configuration { ExitCode::from(EX_CONFIG) } else { ExitCode::FAILURE }
}

fn is_of_configuration(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>() || error.is::<WebhookErrors>() || error.is::<DoorError>()
}

/// Two things that may both be wrong, which is then told of both.
fn both<A, B>(
    first: anyhow::Result<A>,
    second: anyhow::Result<B>,
    tell: impl Fn(String),
) -> anyhow::Result<(A, B)> {
    match (first, second) {
        (Err(first), Err(second)) => {
            tell(format!("{first:#}"));
            Err(second)
        }
        (first, second) => Ok((first?, second?)),
    }
}

fn succeeded((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Loads a configuration; its warnings go to standard error.
fn load(path: &Path) -> anyhow::Result<Config> {
    let (config, warnings) = Config::load(path)?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    Ok(config)
}

fn listen_address(text: &str) -> Result<std::net::SocketAddr, String> {
    let every_interface = text.strip_prefix(':').map(|port| format!("[::]:{port}"));
    let address = every_interface.as_deref().unwrap_or(text);
    address
        .parse()
        .map_err(|_| "expected IP:PORT, such as 127.0.0.1:9847, or :PORT for every interface".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.ok_or_else(|| "expected a duration such as 25s or 1m30s".to_owned())
}

/// One of a few words, in any case.
fn word<T: Word + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::ALL.iter().map(|value| value.word())).map(|text| {
        let mut values = T::ALL.iter().copied();
        values.find(|value| value.word().eq_ignore_ascii_case(&text)).expect("clap takes no other word")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_port_alone_means_every_interface() {
        assert_eq!(listen_address(":9847"), Ok("[::]:9847".parse().unwrap()));
        assert!(listen_address("9847").is_err());
    }
}
