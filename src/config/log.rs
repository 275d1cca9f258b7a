//! The `log` section: which lines are written.

use super::filter::{LogFilter, ParseLogFilterError};
use super::mistake::Report;
use super::section::Section;
use super::value::text;

/// The keys of the section.
pub(super) const KEYS: &[&str] = &[LEVEL];

const LEVEL: &str = "level";

/// Reads the section. The outer `None` where a mistake has been reported, the inner where the command line
/// decides.
pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Option<Option<LogFilter>> {
    let Some(node) = section.get(LEVEL) else { return Some(None) };
    match text(node, LEVEL, report)?.parse() {
        Ok(filter) => Some(Some(filter)),
        Err(ParseLogFilterError(mistakes)) => {
            for mistake in mistakes {
                report.mistake(node.at, format!("`{LEVEL}`: {mistake}"));
            }
            None
        }
    }
}
