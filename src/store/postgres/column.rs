//! Many rows as columns, which one statement takes at once; and texts as PostgreSQL takes them.
//!
//! PostgreSQL keeps every text but one with a NUL in it. AWS may tell one, and a store that refused it would
//! refuse for ever. So a NUL is written as an escape, and so is what escapes: what comes back is what was
//! put in.

use std::borrow::Cow;

/// Begins an escape: U+10FFFF, which Unicode has set aside for what is nobody else's business.
const ESCAPE: char = '\u{10ffff}';

/// What stands after it for a NUL, and for itself.
const NUL: char = '0';
const ITSELF: char = '1';

/// A text as it is written.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        match c {
            '\0' => written.extend([ESCAPE, NUL]),
            ESCAPE => written.extend([ESCAPE, ITSELF]),
            other => written.push(other),
        }
    }
    Cow::Owned(written)
}

/// The text that was written so.
pub(super) fn read(written: &str) -> Cow<'_, str> {
    if !written.contains(ESCAPE) {
        return Cow::Borrowed(written);
    }
    let mut text = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match c {
            ESCAPE => text.push(if chars.next() == Some(NUL) { '\0' } else { ESCAPE }),
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

/// A column of texts.
pub(super) fn texts<'a, T>(rows: &'a [T], text: impl Fn(&'a T) -> &'a str) -> Vec<Cow<'a, str>> {
    rows.iter().map(|row| written(text(row))).collect()
}

/// A column of texts that may be absent.
pub(super) fn optional_texts<'a, T>(
    rows: &'a [T],
    text: impl Fn(&'a T) -> Option<&'a str>,
) -> Vec<Option<Cow<'a, str>>> {
    rows.iter().map(|row| text(row).map(written)).collect()
}

/// A column of anything else.
pub(super) fn values<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[a\0\u{10ffff}01]{0,12}") {
            let kept = written(&text);
            prop_assert!(!kept.contains('\0'), "{kept:?}");
            prop_assert_eq!(read(&kept), text.as_str());
        }
    }

    #[test]
    fn what_needs_no_escape_is_left_as_it_is() {
        assert!(matches!(written("a text, 10 % of it ü"), Cow::Borrowed(_)));
        assert!(matches!(read("a text, 10 % of it ü"), Cow::Borrowed(_)));
    }
}
