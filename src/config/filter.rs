//! Which log lines are written: a level for all, and others for single rooms of regwatch.
//!
//! The command line and the configuration both say it in the same words, and the log obeys them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tracing::Level;

use super::section::nearest;
use super::value::shown;

/// What a line of the log may come from: the modules of the crate, by the names in `lib.rs`.
const ROOMS: [&str; 22] = [
    "aws",
    "cli",
    "clock",
    "config",
    "daemon",
    "discovery",
    "http",
    "lease",
    "liveness",
    "metrics",
    "mirror",
    "model",
    "poller",
    "probe",
    "reload",
    "schedule",
    "service",
    "sim",
    "sink",
    "store",
    "telemetry",
    "tracker",
];

/// The levels, from the fewest lines to the most.
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// Which log lines are written, such as `info` or `info,poller=debug,http=trace`: the least important
/// ones of all, and of single modules. Without a level for all that is `info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    level: Level,
    rooms: BTreeMap<&'static str, Level>,
}

impl LogFilter {
    /// The least important level of whatever has none of its own.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The modules of the crate that have a level of their own, with it.
    pub fn rooms(&self) -> impl Iterator<Item = (&'static str, Level)> {
        self.rooms.iter().map(|(&room, &level)| (room, level))
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { level: Level::INFO, rooms: BTreeMap::new() }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.level))?;
        self.rooms().try_for_each(|(room, level)| write!(f, ",{room}={}", name(level)))
    }
}

/// Everything that is wrong with a filter, each with what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ParseLogFilterError(pub Vec<String>);

impl FromStr for LogFilter {
    type Err = ParseLogFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut all, mut rooms, mut mistakes) = (None, BTreeMap::new(), Vec::new());
        for part in text.split(',').map(str::trim) {
            let given_before = match parse_part(part) {
                Ok((None, level)) => all.replace(level).is_some(),
                Ok((Some(room), level)) => rooms.insert(room, level).is_some(),
                Err(mistake) => {
                    mistakes.push(mistake);
                    continue;
                }
            };
            if given_before {
                mistakes.push(format!("{} comes after another level for the same; keep one", shown(part)));
            }
        }
        if mistakes.is_empty() {
            Ok(Self { level: all.unwrap_or(Level::INFO), rooms })
        } else {
            Err(ParseLogFilterError(mistakes))
        }
    }
}

/// Reads `LEVEL` or `MODULE=LEVEL`.
fn parse_part(part: &str) -> Result<(Option<&'static str>, Level), String> {
    match part.split_once('=') {
        // The crate as a module is all there is.
        Some((module, level)) if module.trim() == env!("CARGO_CRATE_NAME") => {
            Ok((None, parse_level(level.trim())?))
        }
        Some((module, level)) => Ok((Some(room(module.trim())?), parse_level(level.trim())?)),
        None if ROOMS.contains(&part) => {
            Err(format!("`{part}` is a module; write {part}=debug to hear more of it"))
        }
        None => Ok((None, parse_level(part)?)),
    }
}

fn parse_level(text: &str) -> Result<Level, String> {
    let known = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|&(_, level)| level).ok_or_else(|| {
        let right = match nearest(text, LEVELS.map(|(name, _)| name)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the levels are {}", LEVELS.map(|(name, _)| name).join(", ")),
        };
        format!("unknown level {}; {right}", shown(text))
    })
}

fn room(text: &str) -> Result<&'static str, String> {
    let within = text.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).unwrap_or(text);
    if let Some(room) = ROOMS.into_iter().find(|room| *room == within) {
        return Ok(room);
    }
    let outer = within.split("::").next().unwrap_or_default();
    let right = if text.starts_with("aws_") || text.starts_with("aws-") {
        "of the AWS SDK only warnings are written, since its lower levels show requests as they are signed"
            .to_owned()
    } else if let Some(room) = ROOMS.into_iter().find(|room| *room == outer) {
        format!("levels go by the whole of `{room}`")
    } else if let Some(meant) = nearest(within, ROOMS) {
        format!("did you mean `{meant}`?")
    } else {
        format!(
            "regwatch's own are {}; of other crates only warnings are written, since their lower levels \
             may show secrets",
            ROOMS.join(", ")
        )
    };
    Err(format!("unknown module {}; {right}", shown(text)))
}

fn name(level: Level) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == level).map_or("info", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<LogFilter>().unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    fn mistakes(text: &str) -> Vec<String> {
        text.parse::<LogFilter>().expect_err(text).0
    }

    #[test]
    fn a_level_holds_for_all_and_others_for_single_modules() {
        assert_eq!(LogFilter::default().to_string(), "info");
        for (text, same) in [
            ("info", "info"),
            ("WARN", "warn"),
            ("regwatch=debug", "debug"),
            ("poller=debug", "info,poller=debug"),
            ("info,poller=debug,http=trace", "info,http=trace,poller=debug"),
            (" regwatch::sink = warn , error ", "error,sink=warn"),
        ] {
            assert_eq!(parsed(text), same, "{text}");
            assert_eq!(parsed(same), same, "what it says is what it takes");
        }
    }

    #[test]
    fn every_mistake_is_told_with_what_would_be_right() {
        for (text, expected) in [
            ("inof", "unknown level `inof`; did you mean `info`?"),
            ("verbose", "unknown level `verbose`; the levels are error, warn, info, debug, trace"),
            ("", "unknown level \"\"; the levels are error, warn, info, debug, trace"),
            ("poller", "`poller` is a module; write poller=debug to hear more of it"),
            ("poler=debug", "unknown module `poler`; did you mean `poller`?"),
            ("http::crowd=debug", "unknown module `http::crowd`; levels go by the whole of `http`"),
            ("poller=loud", "unknown level `loud`; the levels are error, warn, info, debug, trace"),
            ("info,debug", "`debug` comes after another level for the same; keep one"),
            ("http=info,http=debug", "`http=debug` comes after another level for the same; keep one"),
        ] {
            assert_eq!(mistakes(text), [expected], "{text}");
        }
        assert_eq!(mistakes("inof,poler=debug,").len(), 3);
    }

    #[test]
    fn other_crates_stay_as_they_are() {
        let [told] = &mistakes("hyper=debug")[..] else { panic!("one mistake") };
        assert!(told.contains("aws, cli, clock,") && told.contains("may show secrets"), "{told}");
        for sdk in ["aws_smithy_runtime", "aws_sdk_sts::operation", "aws-config", "aws_runtime"] {
            let [told] = &mistakes(&format!("{sdk}=trace"))[..] else { panic!("one mistake") };
            assert!(told.contains("as they are signed"), "{told}");
        }
    }

    #[test]
    fn the_modules_are_those_of_the_crate() {
        let lib = include_str!("../lib.rs");
        let modules: Vec<_> =
            lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
        assert_eq!(modules, ROOMS);
    }
}
