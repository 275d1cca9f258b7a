//! `regwatch events`: what changed, from the running daemon or from the store that it left.

mod daemon;
mod follow;
mod message;
mod output;
mod stored;
mod table;
mod wanted;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use reqwest::Url;

use self::daemon::{Daemon, DaemonError};
use self::output::Output;
use self::wanted::Wanted;
use super::run::block_on;
use super::terminal::is_closed_pipe;
use crate::clock::Clock;
use crate::model::{AccountId, Probe, Status};

/// The most events that are asked for at a time: what the API gives at most.
const PAGE: u64 = 1000;

#[derive(Debug, Args)]
pub(super) struct Events {
    /// Go on with what happens from now on, or with --since with what is stored and then that
    #[arg(long)]
    follow: bool,

    /// Only what was seen since then: a duration such as 90m, 24h or 7d, or a time of RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,

    /// Only events of this account; may be given more than once
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<AccountId>,

    /// Only events into this state; may be given more than once
    #[arg(long = "to", value_name = "STATE", value_parser = super::word::<Status>(), ignore_case = true)]
    to: Vec<Status>,

    /// Only events of this probe; may be given more than once
    #[arg(long = "probe", value_name = "PROBE", value_parser = super::word::<Probe>())]
    probes: Vec<Probe>,

    /// Only events that this webhook could not deliver and gave up on
    #[arg(long, value_name = "SINK")]
    parked_by: Option<String>,

    /// At most so many, the oldest first
    #[arg(long, value_name = "COUNT", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,

    /// How an event looks: a row, without the REGISTRATION_ of AWS's words, or its CloudEvent in JSON
    // The log has a `format` too.
    #[arg(id = "events.format", long = "format", value_name = "FORMAT", default_value = "table")]
    format: Format,

    /// Where the daemon serves HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9847", value_parser = http_url)]
    url: Url,

    /// The configuration, which names the store to read where no daemon listens
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
}

/// How an event looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: one JSON object a line.
    Json,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Ago(SignedDuration),
    At(Timestamp),
}

impl Events {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let done = block_on(async {
            let mut output = Output::to_stdout(self.format);
            if self.follow { self.follow(&mut output).await } else { self.list(&mut output).await }
        });
        match done {
            // Who reads has enough.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            done => done,
        }
    }

    fn wanted(&self) -> anyhow::Result<Wanted> {
        let since = match self.since {
            Some(Since::Ago(ago)) => {
                Some(Clock::System.now().checked_sub(ago).context("--since is too long ago")?)
            }
            Some(Since::At(time)) => Some(time),
            None => None,
        };
        Ok(Wanted {
            since,
            accounts: self.accounts.iter().copied().collect(),
            to: self.to.iter().copied().collect(),
            probes: self.probes.iter().copied().collect(),
            parked_by: self.parked_by.clone(),
        })
    }

    async fn list(&self, output: &mut Output) -> anyhow::Result<()> {
        let wanted = self.wanted()?;
        let daemon = Daemon::at(&self.url)?;
        let (mut after, mut left) = (0, self.limit);
        while left > 0 {
            let page = match daemon.page(&wanted, after, left.min(PAGE)).await {
                Err(DaemonError::Refused { .. }) if after == 0 => {
                    return stored::list(&self.config, &daemon, &wanted, left, output).await;
                }
                page => page?,
            };
            left -= page.items.len() as u64;
            output.write(&page.items)?;
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(())
    }

    async fn follow(&self, output: &mut Output) -> anyhow::Result<()> {
        let wanted = self.wanted()?;
        follow::follow(&Daemon::at(&self.url)?, &wanted, self.limit, output).await
    }
}

fn since(text: &str) -> Result<Since, String> {
    let ago = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    match (ago, text.parse()) {
        (Ok(ago), _) if !ago.is_negative() => Ok(Since::Ago(ago)),
        (_, Ok(time)) => Ok(Since::At(time)),
        _ => {
            Err("expected a duration such as 90m, 24h or 7d, or a time such as 2026-11-21T12:00:00Z"
                .to_owned())
        }
    }
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| "expected an address such as http://127.0.0.1:9847".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        assert_eq!(since("24h"), Ok(Since::Ago(SignedDuration::from_hours(24))));
        assert_eq!(since("7d"), Ok(Since::Ago(SignedDuration::from_hours(7 * 24))));
        assert_eq!(since("1970-01-01T00:00:00Z"), Ok(Since::At(Timestamp::UNIX_EPOCH)));
        for text in ["", "24", "-24h", "yesterday", "2026-11-21"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_of_http() {
        assert!(http_url("https://regwatch.example.org/below/").is_ok());
        for text in ["", "127.0.0.1:9847", "ftp://127.0.0.1", "localhost:9847"] {
            assert!(http_url(text).is_err(), "{text}");
        }
    }
}
