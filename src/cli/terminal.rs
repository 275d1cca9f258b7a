//! What a person reads on: how wide it is, whether it shows colours, and what must not be written to it.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::model::{Phase, Status};
use crate::telemetry::wants_colour;

/// How text is to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// How many columns of text there are; `None` where nobody counts them.
    pub(super) width: Option<usize>,
    /// Whether states are coloured.
    pub(super) colour: bool,
}

impl Look {
    /// As a stream wants it: a pipe and a file have no width and no colours.
    pub(super) fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let size = terminal_size::terminal_size_of(stream).filter(|_| stream.is_terminal());
        Self { width: size.map(|(width, _)| width.0.into()), colour: wants_colour(stream) }
    }
}

/// Whether the terminal knows no more than to go on with the next character.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// What a state is shown in. The word is always there: nothing is told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Red,
    Yellow,
    Green,
}

impl Colour {
    /// What ends any of them.
    pub(super) const END: &str = "\x1b[0m";

    /// The colour of a state; `None` for one that is neither good nor bad.
    pub(super) fn of(status: Status) -> Option<Self> {
        match (status, status.phase()) {
            (_, Phase::Failed) => Some(Self::Red),
            (_, Phase::Pending) => Some(Self::Yellow),
            (Status::RegistrationSuccess | Status::Active, Phase::Settled) => Some(Self::Green),
            (_, Phase::Settled) => None,
        }
    }

    /// What begins it.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Red => "\x1b[31m",
            Self::Yellow => "\x1b[33m",
            Self::Green => "\x1b[32m",
        }
    }
}

/// A state in few letters: without the `REGISTRATION_` of AWS's words.
pub(super) fn brief(status: &str) -> String {
    status.strip_prefix("REGISTRATION_").unwrap_or(status).to_owned()
}

/// A text that cannot move the cursor, or turn what follows around.
pub(super) fn harmless(text: impl AsRef<str>) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let mut shown = String::with_capacity(text.as_ref().len());
    for c in text.as_ref().chars() {
        if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// A paragraph with an indent, in lines of at most so many characters. A longer word, such as an ARN, is
/// left whole: it is there to be copied.
pub(super) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && width.is_none_or(|width| used + 1 + length <= width) {
            lines.push(' ');
            used += 1 + length;
        } else {
            if used > 0 {
                lines.push('\n');
            }
            lines.push_str(&" ".repeat(indent));
            used = indent + length;
        }
        lines.push_str(word);
    }
    lines.push('\n');
    lines
}

/// Writes all of it to standard output.
///
/// # Errors
/// If it cannot be written; but not where who reads has had enough.
pub(super) fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written
        .map_err(anyhow::Error::from)
        .or_else(|error| if is_closed_pipe(&error) { Ok(()) } else { Err(error) })
}

/// Whether who reads has had enough, which is no failure.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_keeps_to_the_width_and_words_stay_whole() {
        let text = "Allow it on arn:aws:iam::111122223333:role/regwatch as soon as can be";
        assert_eq!(
            wrapped(text, 2, Some(20)),
            "  Allow it on\n  arn:aws:iam::111122223333:role/regwatch\n  as soon as can be\n"
        );
        assert_eq!(wrapped(text, 2, None), format!("  {text}\n"));
    }
}
