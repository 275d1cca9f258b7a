//! The log: to standard error, as text or as one JSON object a line.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

/// The least important lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Each poll and why it came when it did.
    Trace,
    /// Each poll.
    Debug,
    /// Starts, stops and transitions.
    Info,
    /// What has got worse.
    Warn,
    /// What somebody must see to.
    Error,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Begins to log. To be called once.
///
/// Of other crates only warnings are written, whatever the level: at their lower levels the SDK's
/// would write requests as they are signed.
pub fn init(level: Level, format: Format) {
    let level = match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let others = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},regwatch={level}"));
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let subscriber = fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr);
    match format {
        Format::Text => subscriber.with_ansi(colour).finish().init(),
        Format::Json => subscriber.json().flatten_event(true).finish().init(),
    }
}
