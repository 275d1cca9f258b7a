//! Texts in which a star stands for any text.

use std::fmt;

/// A text in which each `*` stands for any text, an empty one included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// A pattern as it is written.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether a text is of it, as a whole.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // Each part at its first place leaves the most room for those that follow.
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by trying every length for every star.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| plainly(rest, &text[at..])),
            Some((c, rest)) => text.split_first().is_some_and(|(d, text)| c == d && plainly(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn a_star_is_any_text_and_all_else_itself(pattern in "[ab*ü]{0,6}", text in "[abü]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), plainly(&chars(&pattern), &chars(&text)));
        }
    }
}
