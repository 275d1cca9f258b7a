//! The log: to standard error, as text for people or as one JSON object a line.
//!
//! Each event is one line, whatever it quotes: what AWS or a file says can neither begin a line of its own
//! nor move a terminal's cursor. Where systemd passes standard error to the journal, each line begins with
//! its priority, and the journal has the time.

mod fields;
mod journal;
mod json;
mod line;
mod panic;
mod text;

use std::ffi::OsStr;
use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, registry, reload};

use crate::clock::Clock;
use crate::config::LogFilter;

use self::line::{Line, Look};

/// The crate's own name: what the targets of its events begin with.
const CRATE: &str = env!("CARGO_CRATE_NAME");

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// The log at work, and which of its lines are written.
#[derive(Debug)]
pub struct Telemetry {
    filter: LogFilter,
    in_force: reload::Handle<Targets, Registry>,
}

/// Begins to log, panics too. To be called once.
pub fn init(filter: LogFilter, format: Format) -> Telemetry {
    let to_journal = journal::is_standard_error();
    let look = match format {
        Format::Json => Look::Json,
        Format::Text if to_journal => Look::Journal,
        Format::Text => Look::Text { colour: wants_colour(&std::io::stderr()) },
    };
    // The bridge to crates that use `log` keeps for ever the level that it starts with, and none of them
    // is heard below a warning: so it starts with what lets warnings pass, and the filter decides.
    let (layer, in_force) = reload::Layer::new(targets(&LogFilter::default()));
    let line = Line { look, prioritized: to_journal, clock: Clock::System };
    let lines = fmt::layer().event_format(line).with_writer(std::io::stderr);
    registry().with(layer).with(lines).init();
    panic::log_panics();
    let telemetry = Telemetry { filter, in_force };
    telemetry.put_in_force(&telemetry.filter);
    telemetry
}

impl Telemetry {
    /// Writes the lines that a configuration asks for; without its word those that [`init`] was told of.
    pub fn configure(&self, filter: Option<&LogFilter>) {
        let filter = filter.unwrap_or(&self.filter);
        if self.put_in_force(filter) {
            tracing::info!(level = %filter, "other log lines are written from now on");
        }
    }

    /// Whether that is a change.
    fn put_in_force(&self, filter: &LogFilter) -> bool {
        const LIVES: &str = "the log lives as long as the process, and nothing panics that holds its filter";
        let new = targets(filter);
        let is_change = self.in_force.with_current(|present| *present != new).expect(LIVES);
        if is_change {
            self.in_force.modify(|present| *present = new).expect(LIVES);
        }
        is_change
    }
}

/// What lets the lines of a filter pass. Of other crates those are only warnings, whatever it says: at
/// their lower levels the SDK's would write requests as they are signed.
fn targets(filter: &LogFilter) -> Targets {
    let others = filter.level().min(Level::WARN);
    let rooms = filter.rooms().map(|(room, level)| (format!("{CRATE}::{room}"), level));
    Targets::new().with_default(others).with_target(CRATE, filter.level()).with_targets(rooms)
}

/// Whether a stream shows colours, and whoever looks at it wants them.
pub(crate) fn wants_colour(stream: &impl IsTerminal) -> bool {
    let [no_color, term] = ["NO_COLOR", "TERM"].map(std::env::var_os);
    stream.is_terminal() && shows_colour(no_color.as_deref(), term.as_deref())
}

/// Whether a terminal shows colours, by `NO_COLOR` (<https://no-color.org>) and `TERM`.
fn shows_colour(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_pass(filter: &str, target: &str, level: Level) -> bool {
        targets(&filter.parse().unwrap_or_else(|error| panic!("{error}"))).would_enable(target, &level)
    }

    #[test]
    fn a_filter_goes_by_level_and_module() {
        for (filter, target, level, passes) in [
            ("info", "regwatch::poller", Level::INFO, true),
            ("info", "regwatch::poller", Level::DEBUG, false),
            ("info,poller=debug", "regwatch::poller", Level::DEBUG, true),
            ("info,poller=debug", "regwatch::tracker", Level::DEBUG, false),
            ("info,http=trace", "regwatch::http::crowd", Level::TRACE, true),
            ("debug,sink=error", "regwatch::sink::log", Level::WARN, false),
            ("error", "regwatch", Level::ERROR, true),
        ] {
            assert_eq!(lets_pass(filter, target, level), passes, "{filter}: {level} of {target}");
        }
    }

    #[test]
    fn no_filter_lets_more_than_warnings_of_other_crates_pass() {
        for filter in ["trace", "trace,aws=trace,http=trace", "info"] {
            for target in ["aws_smithy_runtime::client", "hyper", "sqlx::query", "notify"] {
                assert!(lets_pass(filter, target, Level::WARN), "{filter}: {target}");
                assert!(!lets_pass(filter, target, Level::INFO), "{filter}: {target}");
            }
        }
        assert!(!lets_pass("error,aws=trace", "hyper", Level::WARN));
    }

    #[test]
    fn no_color_and_dumb_terminals_are_respected() {
        let shows = |no_color: Option<&str>, term: Option<&str>| {
            shows_colour(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(shows(None, Some("xterm-256color")) && shows(Some(""), None));
        assert!(!shows(Some("1"), Some("xterm")) && !shows(None, Some("dumb")));
    }
}
