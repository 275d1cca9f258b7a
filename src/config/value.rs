//! Single values: texts, numbers, durations and lists, and what is wrong with them.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};

use super::mistake::Report;
use super::yaml::{Node, Value};

/// The least and the most that a duration may be, with the reason for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) least: (Duration, &'static str),
    pub(super) most: (Duration, &'static str),
}

/// A text. Numbers and words are texts too, as they are written.
pub(super) fn text<'n>(node: &'n Node, name: &str, report: &mut Report) -> Option<&'n str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        Value::Refused => None,
        other => {
            let (name, kind) = (shown(name), other.kind());
            report.mistake(node.at, format!("{name} is {kind}; it takes a single value"));
            None
        }
    }
}

/// A text that is not blank.
pub(super) fn word<'n>(node: &'n Node, name: &str, report: &mut Report) -> Option<&'n str> {
    let text = text(node, name, report)?;
    if text.trim().is_empty() {
        report.mistake(node.at, format!("{} is blank; fill it in or leave the key out", shown(name)));
        return None;
    }
    Some(text)
}

/// A list; nothing at all counts as an empty one.
pub(super) fn list<'n>(node: &'n Node, name: &str, example: &str, report: &mut Report) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        Value::Null => Some(&[]),
        Value::Refused => None,
        other => {
            report.mistake(node.at, format!("`{name}` is {}; it takes a list, {example}", other.kind()));
            None
        }
    }
}

/// A duration within bounds, written as jiff's friendly format has it: `1h30m`, `5m`, `500ms`, `90d`.
pub(super) fn duration(node: &Node, name: &str, bounds: Bounds, report: &mut Report) -> Option<Duration> {
    let text = text(node, name, report)?;
    let Some(duration) = parse_duration(text) else {
        let example = "a duration is a number with a unit from ms to d, such as 15s, 5m, 1h30m or 90d";
        report.mistake(node.at, format!("`{name}` is {}; {example}", shown(text)));
        return None;
    };
    let (least, too_short) = bounds.least;
    let (most, too_long) = bounds.most;
    match Duration::try_from(duration) {
        Ok(duration) if (least..=most).contains(&duration) => return Some(duration),
        Ok(duration) if duration > most => {
            let most = human(most);
            report.mistake(node.at, format!("`{name}` is {}; it is at most {most}: {too_long}", shown(text)));
        }
        _ => {
            let least = human(least);
            report.mistake(
                node.at,
                format!("`{name}` is {}; it is at least {least}: {too_short}", shown(text)),
            );
        }
    }
    None
}

/// A day is 24 hours here: what is configured is a length of time, not a date on a calendar.
fn parse_duration(text: &str) -> Option<SignedDuration> {
    let span = SpanParser::new().parse_span(text).ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A duration as it is written in a configuration, such as `1h 30m`; in days from two whole ones on.
pub(super) fn human(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    if duration.subsec_nanos() == 0 && duration.as_secs() >= 2 * DAY && duration.as_secs().is_multiple_of(DAY)
    {
        return format!("{}d", duration.as_secs() / DAY);
    }
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |signed| format!("{signed:#}"))
}

/// A text as a message may quote it: in backticks unless it is empty, on one line, not endless.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { format!("`{}`", plain(text)) }
}

/// The same without backticks.
pub(super) fn plain(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut plain: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    plain
}
