//! A cursor, as the text of `after`: what has the form of one is a place among the targets or the events,
//! and anything else is a problem of that parameter.

use std::sync::Arc;

use form_urlencoded::byte_serialize;
use regwatch::model::{Fleet, Snapshot};

use super::fleet::{begin_at, key};
use super::visitor::{Answer, Visitor};
use crate::snapshot::rich;

/// The largest sequence number: JSON readers keep no larger one exactly.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

pub(crate) fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let after: String = byte_serialize(text.as_bytes()).collect();
    let snapshot = rich();
    Visitor::with(async |visitor| {
        visitor.show(Arc::clone(&snapshot));
        let targets = visitor.get(format!("/api/v1/targets?after={after}").as_bytes()).await;
        if is_of_target(text) {
            check_rest(&targets, &snapshot, text);
        } else {
            assert_eq!(targets.problem(400), [("query".to_owned(), "after".to_owned())], "{text:?}");
        }
        let is_sequence = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_sequence = is_sequence && text.parse::<u64>().is_ok_and(|number| number <= MAX_SEQUENCE);
        let events = visitor.get(format!("/api/v1/events?after={after}").as_bytes()).await;
        if is_sequence {
            let _ = events.json(200);
        } else {
            assert_eq!(events.problem(400), [("query".to_owned(), "after".to_owned())], "{text:?}");
        }
        // A page for people makes do with what it can read.
        for page in ["/events?before", "/?page"] {
            assert_eq!(
                visitor.get(format!("{page}={after}").as_bytes()).await.status,
                200,
                "{page}={text:?}"
            );
        }
    });
}

/// Whether a text has the form that the API gives a target's cursor.
fn is_of_target(text: &str) -> bool {
    let (account, rest) = text.split_at_checked(12).unwrap_or_default();
    let region = match rest {
        ".fleetwise" | ".govcloud" => return account.bytes().all(|byte| byte.is_ascii_digit()),
        _ => rest.strip_prefix(".fleetwise.").or_else(|| rest.strip_prefix(".govcloud.")),
    };
    account.bytes().all(|byte| byte.is_ascii_digit())
        && region.is_some_and(|region| {
            (1..=32).contains(&region.len())
                && region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        })
}

/// The page has all targets behind the cursor.
fn check_rest(page: &Answer, snapshot: &Snapshot, cursor: &str) {
    let page = page.json(200);
    let Fleet { targets, .. } = &*snapshot.fleet;
    // As texts they are in the order of the API: ids are of one length, and nothing else is in a cursor
    // before a dot than the beginning of what is longer.
    let mut expected: Vec<_> = targets.iter().map(begin_at).filter(|target| &**target > cursor).collect();
    expected.sort();
    let found: Vec<_> = page["items"].as_array().expect("items").iter().map(key).collect();
    assert_eq!(found, expected, "after {cursor:?}");
}
