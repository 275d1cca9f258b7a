//! Any text is judged: it is a configuration, or has mistakes that are in it.

use std::fmt::Write as _;
use std::time::Duration;

use regwatch::config::{Config, ConfigErrors, Warning};
use tokio::time::Instant;

/// How many times longer than an ordinary text of [`ORDINARY`] bytes any text up to that length may take.
const TIMES: u32 = 100;

/// How often it may take longer before it counts: a machine that is busy or stands still for a moment
/// is not at fault as often as that.
const TRIES: usize = 5;

const ORDINARY: usize = 64 * 1024;

thread_local! {
    /// How long a text of any content may take: some half a second in an optimized build.
    static BOUND: Duration = TIMES * ordinary();
}

/// The least that an ordinary text takes to be read.
fn ordinary() -> Duration {
    let mut text = "identities: {hub: {}}\naccounts:\n".to_owned();
    for id in 0.. {
        writeln!(text, "- id: \"{id:012}\"\n  govcloud: {{identity: hub}}").expect("a string");
        if text.len() >= ORDINARY {
            break;
        }
    }
    let times = (0..TRIES)
        .map(|_| took(|| Config::parse("config.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))).1);
    times.min().expect("there were some")
}

fn took<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let outcome = act();
    (outcome, began.elapsed())
}

/// What the text has been read as, unless there is a mistake.
pub(super) fn judge<T>(text: &str, read: impl Fn() -> Result<(T, Vec<Warning>), ConfigErrors>) -> Option<T> {
    let bound = BOUND.with(|bound| *bound);
    let (outcome, time) = took(&read);
    let is_slow = time > bound && (1..TRIES).all(|_| took(&read).1 > bound);
    assert!(!is_slow || text.len() > ORDINARY, "{} bytes take longer than {bound:?}", text.len());
    let lengths = lengths(text);
    let check = |line: usize, column: usize, message: &str| {
        check_place(&lengths, line, column, message);
        check_message(message);
    };
    let check_all = |warnings: &[Warning]| {
        warnings.iter().for_each(|warning| check(warning.line, warning.column, &warning.message));
    };
    match outcome {
        Ok((read, warnings)) => {
            check_all(&warnings);
            Some(read)
        }
        Err(errors) => {
            let ConfigErrors { mistakes, warnings, .. } = &errors;
            assert!(!mistakes.is_empty(), "refused for no reason");
            assert!(mistakes.is_sorted_by(|one, next| one < next), "in order, and once each: {mistakes:?}");
            mistakes.iter().for_each(|mistake| check(mistake.line, mistake.column, &mistake.message));
            assert_eq!(errors.to_string().split('\n').count(), mistakes.len(), "{errors}");
            check_all(warnings);
            None
        }
    }
}

/// What is told fits on a line of a terminal or a log, and does nothing to either.
fn check_message(message: &str) {
    assert!(!message.is_empty() && !message.chars().any(char::is_control), "one line: {message:?}");
}

/// A place is a character of the text, or the end of a line or of the text.
fn check_place(lengths: &[usize], line: usize, column: usize, told: &str) {
    let end = lengths.get(line.wrapping_sub(1)).unwrap_or_else(|| panic!("no line {line}: {told}")) + 1;
    assert!((1..=end).contains(&column), "no column {column} in line {line}, which ends at {end}: {told}");
}

/// The lengths of the lines of a YAML file in characters: they end with a line feed, a carriage return, or
/// both.
fn lengths(text: &str) -> Vec<usize> {
    let text = text.replace("\r\n", "\n");
    text.split(['\n', '\r']).map(|line| line.chars().count()).collect()
}
