//! Texts that others wrote, made fit to be shown, and a few forms of our own.
//!
//! Markup is askama's affair, which escapes everything. What is left is that a text must not change how
//! the texts around it are read, and must not fill the page.

use std::fmt::{self, Write as _};

/// The most characters of a text in a list; its own page has all.
const BRIEF: usize = 240;

/// A text of AWS's, or of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Foreign(String);

impl Foreign {
    /// All of it.
    pub(super) fn whole(text: &str) -> Self {
        Self(text.chars().map(plain).collect())
    }

    /// Its beginning, as it fits a list.
    pub(super) fn brief(text: &str) -> Self {
        let mut brief: String = text.chars().take(BRIEF).map(plain).collect();
        if text.chars().nth(BRIEF).is_some() {
            brief.push('…');
        }
        Self(brief)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The replacement for characters that nobody sees and that change how others are read: controls, and
/// those that turn the direction of writing.
fn plain(c: char) -> char {
    let deceives = c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{61c}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    if deceives { '\u{fffd}' } else { c }
}

/// A text as a segment of a path (RFC 3986, section 3.3).
pub(super) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            write!(segment, "%{byte:02X}").expect("a text takes all");
        }
    }
    segment
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, in the right form.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A rate with the digits that matter.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 0.1 => format!("{rate:.4}"),
        rate if rate < 10.0 => format!("{rate:.2}"),
        rate => format!("{rate:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_within_its_bounds() {
        assert_eq!(
            Foreign::whole("a\u{202e}b\0c\u{1b}[2J\nd").to_string(),
            "a\u{fffd}b\u{fffd}c\u{fffd}[2J\nd"
        );
        assert_eq!(Foreign::brief(&"ü".repeat(240)).to_string(), "ü".repeat(240));
        assert_eq!(Foreign::brief(&"ü".repeat(10_000)).to_string(), "ü".repeat(240) + "…");
    }

    #[test]
    fn numbers_and_paths_have_their_forms() {
        assert_eq!([7, 999, 1_000, 1_234_567].map(count), ["7", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "target", "targets"), "1 target");
        assert_eq!([0.003_33, 0.1, 20.0].map(rate), ["0.0033", "0.10", "20.0"]);
        assert_eq!(segment("us-east-1/../\"ü ?"), "us-east-1%2F..%2F%22%C3%BC%20%3F");
    }
}
