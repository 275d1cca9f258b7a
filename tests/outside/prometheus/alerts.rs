//! The README's alerts: Prometheus takes them as they stand there, and in the demo each fires for those
//! whom it is meant for.

use std::collections::BTreeSet;
use std::process::Command;

use serde::Deserialize;

use super::server::{Series, Server};
use crate::demo::{DENIED, FAILED, SUSPENDED};

const README: &str = include_str!("../../../README.md");

/// Who is to be alerted about in the end: the alert, the account, the resource where there are several.
const FIRING: [(&str, (&str, &str), &str); 4] = [
    ("FleetWiseRegistrationFailed", FAILED, "account"),
    ("FleetWiseRegistrationFailed", FAILED, "iam"),
    ("GovCloudAccountSuspended", SUSPENDED, ""),
    ("RegwatchTargetStale", DENIED, ""),
];

/// What Prometheus tells of rules.
#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    name: String,
    query: String,
    health: String,
}

/// The file of rules that the README shows.
pub(super) fn rules() -> &'static str {
    let start = README.find("groups:\n").expect("it shows one");
    let (rules, _) = README[start..].split_once("```").expect("which ends");
    rules
}

/// How the README gives an alert the account's name, for an expression.
fn with_name(expression: &str) -> String {
    let (_, snippet) = README.split_once("`(…) *").expect("it shows how");
    let (join, _) = snippet.split_once('`').expect("which ends");
    format!("({expression}) *{join}")
}

/// Asserts that each fires for whom it is meant, and says whom by name.
pub(super) async fn fire_for_whom_they_are_meant(prometheus: &Server) {
    let alerted = |found: &[Series]| -> BTreeSet<_> {
        let labels = ["alertname", "aws_account_id", "resource"];
        found.iter().map(|series| series.labels(labels).map(str::to_owned)).collect()
    };
    let expected =
        BTreeSet::from(FIRING.map(|(alert, (id, _), resource)| [alert, id, resource].map(str::to_owned)));
    let firing = r#"ALERTS{alertstate="firing"}"#;
    prometheus.until("these alerts and no others", firing, |found| alerted(found) == expected).await;

    let told: Rules = prometheus.api("rules").await;
    let rules: Vec<Rule> = told.groups.into_iter().flat_map(|group| group.rules).collect();
    assert_eq!(rules.len(), README.matches("- alert:").count());
    for Rule { name, query, health } in &rules {
        assert_eq!(health, "ok", "{name}");
        let named = prometheus.query(&with_name(query)).await;
        let names: BTreeSet<_> = named.iter().flat_map(|series| series.labels(["account_name"])).collect();
        let expected = FIRING.iter().filter(|alert| alert.0 == name).map(|alert| alert.1.1);
        assert_eq!(names, expected.collect(), "{name}");
    }
}

#[test]
fn promtool_finds_nothing_to_say_to_those_of_the_readme() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), rules()).expect("it can be written");
    let promtool = Command::new("promtool")
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .arg(file.path())
        .output();
    let said = promtool.expect("tests/run has installed it");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
