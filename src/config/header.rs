//! The headers that a webhook sends besides its own.

use std::collections::HashMap;

use hyper::header::{HeaderName, HeaderValue};

use super::events::path;
use super::mistake::Report;
use super::section::{Section, named, unglued};
use super::value::{shown, word};
use super::yaml::{Node, Value};
use super::{Secret, Source};

/// The keys of a header whose value is in a file.
pub(super) const KEYS: &[&str] = &["file"];

/// What belongs to the connection or to the form of the message, and so to HTTP itself.
///
/// Source: RFC 9110, section 7.6.1 "Connection", 8.6 "Content-Length", 7.2 "Host", 10.1.1 "Expect".
const OF_HTTP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What regwatch says itself.
const OF_REGWATCH: [&str; 4] = ["user-agent", "webhook-id", "webhook-signature", "webhook-timestamp"];

/// Reads the headers; `None` where a mistake has been reported.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<Vec<(HeaderName, Source)>> {
    let mut first = HashMap::new();
    let mut headers = Vec::new();
    let mut is_sound = true;
    for (text, at, node) in named(node, "`headers`", report)? {
        let value = value(node, unglued(text), report);
        let Ok(name) = text.parse::<HeaderName>() else {
            let right = "HTTP accepts letters, digits and hyphens";
            report.mistake(at, format!("{} is no name of a header; {right}", shown(unglued(text))));
            is_sound = false;
            continue;
        };
        let wrong = if OF_HTTP.contains(&name.as_str()) {
            Some(format!("`{text}` is HTTP's own header; leave it out"))
        } else if OF_REGWATCH.contains(&name.as_str()) {
            Some(format!("`{text}` is a header that regwatch sets itself; leave it out"))
        } else {
            first.insert(name.clone(), at).map(|first| {
                let line = first.line;
                format!("`{text}` is given already at line {line}, capitals aside; keep one of them")
            })
        };
        is_sound &= wrong.is_none() && value.is_some();
        if let Some(wrong) = wrong {
            report.mistake(at, wrong);
        }
        headers.extend(value.map(|value| (name, value)));
    }
    is_sound.then_some(headers)
}

/// A value, here or in a file. It may be a secret.
fn value(node: &Node, name: &str, report: &mut Report) -> Option<Source> {
    if let Value::Map(entries) = &node.value {
        let is_file = |key: &Node| matches!(&key.value, Value::Scalar { text, .. } if **text == *"file");
        if !entries.iter().any(|(key, _)| is_file(key)) {
            // Its keys are not told: they may be the value, in braces of its own.
            let right = "quote what begins with a brace, or name the file that holds it as {file: PATH}";
            report.mistake(node.at, format!("the value of {} is a mapping; {right}", shown(name)));
            return None;
        }
        let section = Section::open(node, "a header", KEYS, report)?;
        return path(section.get("file")?, "file", report).map(Source::File);
    }
    let text = word(node, name, report)?;
    if HeaderValue::from_str(text).is_err() {
        let right = "HTTP accepts no line break and no other control character there";
        report.mistake(node.at, format!("the value of {} is none of a header; {right}", shown(name)));
        return None;
    }
    Some(Source::Here(Secret::new(text)))
}
