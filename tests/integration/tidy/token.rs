//! Rust source as the few tokens that tell what a file names. Comments and texts are dropped: a metric
//! called `aws_…` or a link in a doc comment is no dependency.

/// A token and the line that it is on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Word(String),
    /// `::`
    PathSeparator,
    /// Any other character that means something.
    Mark(char),
}

/// Splits source that the compiler accepts.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = next(rest, first);
        if let Some(kind) = kind {
            tokens.push(Token { line, kind });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of what `rest` begins with, and the token that it is.
fn next(rest: &str, first: char) -> (usize, Option<Kind>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), None);
    }
    if let Some(length) = text(rest) {
        return (length, None);
    }
    if first == '\'' {
        return (character(rest), None);
    }
    if rest.starts_with("b'") {
        return (1 + character(&rest[1..]), None);
    }
    if rest.starts_with("::") {
        return (2, Some(Kind::PathSeparator));
    }
    let raw = if rest.starts_with("r#") { 2 } else { 0 };
    let word = &rest[raw..];
    let length = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
    if length > 0 {
        return (raw + length, Some(Kind::Word(word[..length].to_owned())));
    }
    (first.len_utf8(), (!first.is_whitespace()).then_some(Kind::Mark(first)))
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
        }
        if depth == 0 {
            return at + 2;
        }
    }
    rest.len()
}

/// The length of a text in any of its forms, prefix included; `None` if there is none here.
fn text(rest: &str) -> Option<usize> {
    let body = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = &rest[..rest.len() - body.len()];
    if !matches!(prefix, "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    if prefix.ends_with('r') {
        let opened = body.trim_start_matches('#').strip_prefix('"')?;
        let hashes = body.len() - opened.len() - 1;
        let closing = format!("\"{}", "#".repeat(hashes));
        let start = rest.len() - opened.len();
        return Some(opened.find(&closing).map_or(rest.len(), |at| start + at + closing.len()));
    }
    let mut escaped = false;
    for (at, c) in body.strip_prefix('"')?.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + 1 + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of a character, or of a lifetime's quotation mark alone.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].char_indices();
    match inside.next() {
        // The escaped character itself may be the quotation mark, so the search starts behind it.
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |at| 3 + at + 1),
        Some((_, c)) if rest[1 + c.len_utf8()..].starts_with('\'') => 1 + c.len_utf8() + 1,
        _ => 1,
    }
}

#[test]
fn comments_and_texts_are_no_words() {
    let source = r####"
        // one
        /* two /* three */ four */ a
        "five \" six" b b'x' 'y' '\'' '\u{1F600}' r#"seven " eight"# br"nine" b"ten" c
        &'d e '"' r#f
    "####;
    let words: Vec<_> = tokens(source)
        .into_iter()
        .filter_map(|token| match token.kind {
            Kind::Word(word) => Some((token.line, word)),
            _ => None,
        })
        .collect();
    let expected = [(3, "a"), (4, "b"), (4, "c"), (5, "d"), (5, "e"), (5, "f")];
    assert_eq!(words, expected.map(|(line, word)| (line, word.to_owned())));
}
