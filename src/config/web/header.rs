//! The `http_server_config` section: what every answer says.

use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS, X_XSS_PROTECTION,
};

use super::super::mistake::Report;
use super::super::section::Section;
use super::super::value::{shown, text};
use super::super::yaml::{Node, Value};

/// The keys of the section.
const KEYS: &[&str] = &["http2", "headers"];

/// The headers that the format knows, and the values of those that have but a few.
const HEADERS: [(&str, HeaderName, &[&str]); 5] = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY, &[]),
    ("X-Frame-Options", X_FRAME_OPTIONS, &["deny", "sameorigin"]),
    ("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, &["nosniff"]),
    ("X-XSS-Protection", X_XSS_PROTECTION, &[]),
    ("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY, &[]),
];

/// Reads the section; `None` where a mistake has been reported.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<Vec<(HeaderName, Option<HeaderValue>)>> {
    let section = Section::open(node, "`http_server_config`", KEYS, report)?;
    // HTTP/2 is offered to those who can; regwatch offers HTTP/1.1, which they all can.
    let http2 = section.get("http2").map_or(Some(true), |node| boolean(node, "http2", report));
    let Some(node) = section.get("headers") else { return http2.map(|_| Vec::new()) };
    let names = HEADERS.each_ref().map(|(name, ..)| *name);
    let headers = Section::open(node, "`headers`", &names, report)?;
    let given: Vec<_> = HEADERS
        .into_iter()
        .filter_map(|(key, name, few)| Some((name, value(headers.get(key)?, key, few, report))))
        .collect();
    http2?;
    given.into_iter().map(|(name, value)| value.map(|value| (name, value))).collect()
}

/// A header's value: `Some(None)` if it is blank, so that the header is left out.
fn value(node: &Node, key: &str, few: &[&str], report: &mut Report) -> Option<Option<HeaderValue>> {
    let text = if matches!(node.value, Value::Null) { "" } else { text(node, key, report)? };
    if !few.is_empty() && !few.contains(&text) {
        report.mistake(node.at, format!("`{key}` is {}; it is {}", shown(text), few.join(" or ")));
        return None;
    }
    if text.is_empty() {
        return Some(None);
    }
    let value = HeaderValue::from_str(text).ok();
    if value.is_none() {
        let right = "HTTP accepts no line break and no other control character there";
        report.mistake(node.at, format!("the value of `{key}` is none of a header; {right}"));
    }
    value.map(Some)
}

/// Yes or no.
pub(super) fn boolean(node: &Node, key: &str, report: &mut Report) -> Option<bool> {
    match text(node, key, report)? {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            report.mistake(node.at, format!("`{key}` is {}; it is true or false", shown(other)));
            None
        }
    }
}
