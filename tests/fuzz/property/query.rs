//! A request target and, on a second line, a `Last-Event-ID`: a query filters, or is a problem that names
//! each wrong parameter, and no answer is the fault of the server.

use std::collections::{BTreeMap, BTreeSet};

use hyper::http::uri::PathAndQuery;
use jiff::Timestamp;
use serde_json::Value;

use super::fleet::key;
use super::visitor::{Answer, Visitor};
use crate::snapshot::rich;

const TARGETS: &str = "/api/v1/targets";
const EVENTS: &str = "/api/v1/events";
const STREAM: &str = "/api/v1/events/stream";

/// The parameters of each route that has some, and whether each may be repeated.
const PARAMETERS: [(&str, &[(&str, bool)]); 3] =
    [(TARGETS, OF_TARGETS), (EVENTS, OF_EVENTS), (STREAM, OF_STREAM)];

const OF_TARGETS: &[(&str, bool)] = &[
    ("account", true),
    ("after", false),
    ("limit", false),
    ("probe", true),
    ("region", true),
    ("stale", false),
    ("status", true),
];

const OF_EVENTS: &[(&str, bool)] = &[
    ("account", true),
    ("after", false),
    ("kind", true),
    ("limit", false),
    ("parked_by", false),
    ("probe", true),
    ("region", true),
    ("resource", true),
    ("since", false),
    ("to", true),
];

const OF_STREAM: &[(&str, bool)] = &[
    ("account", true),
    ("after", false),
    ("kind", true),
    ("parked_by", false),
    ("probe", true),
    ("region", true),
    ("resource", true),
    ("since", false),
    ("to", true),
];

/// The server takes longer requests, up to a point.
const LONGEST: usize = 8 * 1024;

/// What was given, by name.
type Given = BTreeMap<String, Vec<String>>;

pub(crate) fn holds(input: &[u8]) {
    let (target, id) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let is_of_header = |id: &&[u8]| id.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    let id = id.strip_prefix(b"\n").filter(is_of_header);
    let headers = id.map(|id| [b"Last-Event-ID: ", id, b"\r\n"].concat()).unwrap_or_default();
    // What is no request target at all, or too long for one, does not get as far as the API.
    let Ok(asked) = PathAndQuery::try_from(target) else { return };
    if !target.starts_with(b"/") || asked.as_str().as_bytes() != target || input.len() > LONGEST {
        return;
    }
    let mut given = Given::new();
    for (name, value) in form_urlencoded::parse(asked.query().unwrap_or_default().as_bytes()) {
        given.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    Visitor::with(async |visitor| {
        visitor.show(rich());
        let answer = visitor.ask(target, &headers).await;
        if asked.path().starts_with("/api/") {
            check_answer(visitor, asked.path(), &given, &answer).await;
        } else {
            let is_ready = answer.status == 503 && asked.path() == "/-/ready";
            assert!(is_ready || matches!(answer.status, 200 | 400 | 404 | 405), "{answer:?}");
        }
    });
}

async fn check_answer(visitor: &mut Visitor, path: &str, given: &Given, answer: &Answer) {
    match answer.status {
        200 if path == STREAM => assert_eq!(answer.content_type, "text/event-stream"),
        200 => drop(answer.json(200)),
        400 => check_problem(path, given, &answer.problem(400)),
        status @ (404 | 405) => drop(answer.problem(status)),
        _ => panic!("{answer:?}"),
    }
    let Some((_, known)) = PARAMETERS.iter().find(|(route, _)| *route == path) else { return };
    if answer.status != 200 {
        assert_eq!(answer.status, 400, "the route is there");
        return;
    }
    for (name, values) in given {
        let found = known.iter().find(|(known, _)| known == name);
        assert!(found.is_some_and(|(_, may_repeat)| *may_repeat || values.len() == 1), "{name}: {values:?}");
    }
    if path != STREAM {
        let all = visitor.get(format!("{path}?limit=1000").as_bytes()).await.json(200);
        check_page(
            &all,
            given,
            &answer.json(200),
            if path == TARGETS { target_matches } else { event_matches },
        );
    }
}

/// Whatever is wrong was given, or is a part of the path; and what the route does not know is wrong.
fn check_problem(path: &str, given: &Given, wrong: &[(String, String)]) {
    for (place, name) in wrong {
        assert!(
            match &**place {
                "query" => given.contains_key(name),
                "path" => ["account", "probe", "region"].contains(&&**name),
                place => place == "header" && name == "Last-Event-ID",
            },
            "{name} in the {place}: {given:?}"
        );
    }
    let Some((_, known)) = PARAMETERS.iter().find(|(route, _)| *route == path) else { return };
    assert!(!wrong.is_empty(), "a problem of nothing");
    let wrong: BTreeSet<_> =
        wrong.iter().filter(|(place, _)| place == "query").map(|(_, name)| &**name).collect();
    for (name, values) in given {
        let is_wrong = known
            .iter()
            .find(|(known, _)| known == name)
            .is_none_or(|(_, may_repeat)| !may_repeat && values.len() > 1);
        assert!(!is_wrong || wrong.contains(&**name), "{name} is not told: {wrong:?}");
    }
}

/// The page has what matches, from the beginning, and tells whether there is more.
fn check_page(all: &Value, given: &Given, page: &Value, matches: fn(&Value, &str, &[String]) -> bool) {
    let items = |page: &Value| page["items"].as_array().expect("items").clone();
    let limit = given.get("limit").map_or(100, |limit| limit[0].parse().expect("it was taken"));
    let mut expected = items(all);
    expected.retain(|item| given.iter().all(|(name, values)| matches(item, name, values)));
    let are_more = expected.len() > limit;
    expected.truncate(limit);
    assert_eq!(items(page), expected, "{given:?}");
    assert_eq!(!page["next"].is_null(), are_more, "{given:?}");
}

fn target_matches(target: &Value, name: &str, wanted: &[String]) -> bool {
    match name {
        "account" => is_one(&target["account_id"], wanted),
        "probe" | "region" => is_one(&target[name], wanted),
        "status" => {
            let resources = target["resources"].as_array().expect("resources");
            resources.iter().any(|resource| is_one(&resource["status"], wanted))
        }
        "stale" => target["stale"].as_bool() == wanted[0].parse().ok(),
        "after" => key(target) > wanted[0],
        _ => true,
    }
}

fn event_matches(event: &Value, name: &str, wanted: &[String]) -> bool {
    let data = &event["data"];
    match name {
        "account" => is_one(&data["account_id"], wanted),
        "probe" | "region" | "resource" | "kind" | "to" => is_one(&data[name], wanted),
        "since" => {
            let seen: Timestamp = event["time"].as_str().and_then(|time| time.parse().ok()).expect("a time");
            seen >= wanted[0].parse().expect("it was taken")
        }
        "after" => data["sequence"].as_u64() > wanted[0].parse().ok(),
        // Nothing was parked.
        "parked_by" => false,
        _ => true,
    }
}

fn is_one(value: &Value, wanted: &[String]) -> bool {
    value.as_str().is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
}
