//! A line for people: `<time> <level> <module>: <message> <field>=<value> …`.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use super::fields::Fields;

/// What cannot happen when a text is put together.
const WRITES: &str = "a string takes any text";

/// The escape sequences (ECMA-48, "select graphic rendition") around parts of a line; empty without colour.
struct Paint {
    dim: &'static str,
    level: &'static str,
    end: &'static str,
}

impl Paint {
    const NONE: Self = Self { dim: "", level: "", end: "" };

    fn of(level: Level) -> Self {
        let level = match level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            Level::DEBUG => "\x1b[34m",
            Level::TRACE => "\x1b[35m",
        };
        Self { dim: "\x1b[2m", level, end: "\x1b[0m" }
    }
}

/// Writes a line; without a time where another program notes it.
pub(super) fn write(out: &mut String, at: Option<Timestamp>, level: Level, colour: bool, fields: &Fields) {
    let Paint { dim, level: painted, end } = if colour { Paint::of(level) } else { Paint::NONE };
    if let Some(at) = at {
        write!(out, "{dim}{at:.6}{end} ").expect(WRITES);
    }
    // As wide as the widest, so that what follows stands in a column.
    write!(out, "{painted}{:>5}{end} {dim}{}:{end} ", level.as_str(), printable(&fields.target))
        .expect(WRITES);
    out.push_str(&printable(&fields.message));
    for (name, value) in &fields.others {
        write!(out, " {dim}{name}={end}{}", quoted(value)).expect(WRITES);
    }
}

/// A text without anything that would end the line or move the cursor.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => printable.extend(c.escape_default()),
            false => printable.push(c),
        }
    }
    printable.into()
}

/// A value, in quotes where it could be taken for more than one.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let ends_a_value = |c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '=';
    !text.is_empty() && !text.contains(ends_a_value)
}
