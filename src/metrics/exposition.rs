//! A writer of Prometheus's text exposition format, version 0.0.4.
//!
//! The `prometheus` crate's own encoder wants each series built as an object first, which costs ten
//! times what the text does. This one appends to a `String` and allocates nothing per series.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::fmt::{Display, Write};

use jiff::Timestamp;

/// The sort of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever grows, but for restarts.
    Counter,
    /// Any value at any time.
    Gauge,
}

/// Starts a family: everything up to the next one belongs to it. `name` is trusted.
pub(super) fn head(out: &mut String, name: &str, kind: Kind, help: &str) {
    out.push_str("# HELP ");
    out.push_str(name);
    out.push(' ');
    escape(out, help, &['\\', '\n']);
    out.push_str("\n# TYPE ");
    out.push_str(name);
    out.push_str(match kind {
        Kind::Counter => " counter\n",
        Kind::Gauge => " gauge\n",
    });
}

/// Where the series of one family are written.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Lines<'a> {
    /// Of the family `name`, whose [`head`] stands in `out` before.
    pub(super) fn new(out: &'a mut String, name: &'static str) -> Self {
        Self { out, name }
    }

    /// Begins a series. Only the line's last step, its value, makes it whole.
    pub(super) fn line(&mut self) -> Line<'_> {
        self.out.push_str(self.name);
        Line { out: self.out, separator: '{' }
    }
}

/// A series whose value is still to come.
#[derive(Debug)]
#[must_use = "a series without a value breaks the page"]
pub(super) struct Line<'a> {
    out: &'a mut String,
    separator: char,
}

impl Line<'_> {
    /// Adds a label. `name` is trusted, `value` may be any text.
    pub(super) fn label(self, name: &str, value: &str) -> Self {
        self.text(name, |out| escape(out, value, &['\\', '"', '\n']))
    }

    /// Adds a label whose value, like an account id, has nothing to escape.
    pub(super) fn plain(self, name: &str, value: impl Display) -> Self {
        self.text(name, |out| append(out, value))
    }

    fn text(mut self, name: &str, value: impl FnOnce(&mut String)) -> Self {
        self.out.push(self.separator);
        self.separator = ',';
        self.out.push_str(name);
        self.out.push_str("=\"");
        value(self.out);
        self.out.push('"');
        self
    }

    /// Ends the series with a count.
    pub(super) fn count(self, value: u64) {
        self.end(value);
    }

    /// Ends the series with 1 for yes and 0 for no.
    pub(super) fn flag(self, value: bool) {
        self.end(if value { '1' } else { '0' });
    }

    /// Ends the series with a measure. NaN, which would spoil every sum over the family, is shown as 0.
    pub(super) fn measure(self, value: f64) {
        if value.is_nan() {
            self.end('0');
        } else if value.is_infinite() {
            self.end(if value > 0.0 { "+Inf" } else { "-Inf" });
        } else {
            self.end(value);
        }
    }

    /// Ends the series with a time in Unix seconds, to the millisecond, as AWS gives them.
    pub(super) fn time(self, value: Timestamp) {
        // Exact: a millisecond count needs 41 bits for today and 48 bits at the end of jiff's range.
        self.end(value.as_millisecond() as f64 / 1e3);
    }

    /// The same for a time that may not be: 0 is how Prometheus's own exporters say "never".
    pub(super) fn time_or_never(self, value: Option<Timestamp>) {
        match value {
            Some(value) => self.time(value),
            None => self.end('0'),
        }
    }

    fn end(self, value: impl Display) {
        self.out.push_str(if self.separator == '{' { " " } else { "} " });
        append(self.out, value);
        self.out.push('\n');
    }
}

fn append(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("writing to a string cannot fail");
}

/// Appends `text` with a backslash before each of `special`, all of them ASCII.
fn escape(out: &mut String, text: &str, special: &[char]) {
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(write: impl FnOnce(Line<'_>)) -> String {
        let mut out = String::new();
        write(Lines::new(&mut out, "m").line());
        out
    }

    /// Reads back the one label of a line as Prometheus's lexer does.
    fn parse(line: &str) -> Option<String> {
        let mut rest = line.strip_prefix("m{l=\"")?.chars();
        let mut value = String::new();
        loop {
            match rest.next()? {
                '"' => break,
                '\n' => return None,
                '\\' => value.push(match rest.next()? {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    _ => return None,
                }),
                plain => value.push(plain),
            }
        }
        (rest.as_str() == "} 1\n").then_some(value)
    }

    proptest! {
        #[test]
        fn any_label_value_survives(value in "(?s).{0,40}|[\\\\\"\n]{0,9}") {
            prop_assert_eq!(parse(&line(|line| line.label("l", &value).flag(true))), Some(value));
        }

        #[test]
        fn a_help_text_stays_on_its_line(help in "(?s).{0,40}|[\\\\\n]{0,9}") {
            let mut out = String::new();
            head(&mut out, "m", Kind::Gauge, &help);
            let text = out.strip_prefix("# HELP m ").and_then(|rest| rest.strip_suffix("\n# TYPE m gauge\n"));
            let text = text.expect("one line of help, one of type");
            prop_assert!(!text.contains('\n'));
            let mut back = String::new();
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                back.push(if c == '\\' && rest.next() == Some('n') { '\n' } else { c });
            }
            prop_assert_eq!(back, help);
        }

        #[test]
        fn a_measure_reads_back_as_itself(value in any::<f64>()) {
            let text = line(|line| line.measure(value));
            let back: f64 = text.trim_end().strip_prefix("m ").expect("name and value").parse().expect("a number");
            prop_assert!(back == value || value.is_nan() && back == 0.0, "{text}");
        }

        #[test]
        fn a_time_keeps_its_milliseconds(millis in -62_000_000_000_000_i64..=253_000_000_000_000) {
            let time = Timestamp::from_millisecond(millis).expect("in range");
            let text = line(|line| line.time(time));
            let back: f64 = text.trim_end().strip_prefix("m ").expect("name and value").parse().expect("a number");
            prop_assert_eq!((back * 1e3).round() as i64, millis);
        }
    }

    #[test]
    fn a_line_is_name_labels_value() {
        assert_eq!(line(|line| line.count(u64::MAX)), "m 18446744073709551615\n");
        assert_eq!(line(|line| line.label("a", "x").plain("b", 7).flag(false)), "m{a=\"x\",b=\"7\"} 0\n");
        assert_eq!(line(|line| line.label("a", "").time_or_never(None)), "m{a=\"\"} 0\n");
        assert_eq!(line(|line| line.measure(f64::INFINITY)), "m +Inf\n");
        let time = Timestamp::from_millisecond(1_763_700_000_250).expect("in range");
        assert_eq!(line(|line| line.time_or_never(Some(time))), "m 1763700000.25\n");
    }
}
