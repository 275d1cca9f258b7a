//! The alerts in `deploy/prometheus`: each says what it should, is tested, and is told of in the runbook. That
//! the tests pass is for `promtool` to say, in `tests/outside`.

mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use regwatch::model::{FailureReason, Status};
use serde_json::Value;

use crate::reference::listed;

const RULES: &str = include_str!("../../deploy/prometheus/regwatch.rules.yml");
const TESTS: &str = include_str!("../../deploy/prometheus/regwatch.rules.test.yml");
const RUNBOOK: &str = include_str!("../../deploy/prometheus/README.md");

/// What every alert has to tell.
const PARTS: [&str; 3] = ["**Means:** ", "**Do:** ", "**Ends:** "];

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of[key].as_array().into_iter().flatten()
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_else(|| panic!("no text {key}: {of}"))
}

/// The rules that give this, by what they call it.
fn rules(of: &str) -> BTreeMap<String, Value> {
    let rules = yaml::read(RULES);
    let all = list(&rules, "groups").flat_map(|group| list(group, "rules"));
    let mut named = BTreeMap::new();
    for rule in all.filter(|rule| rule.get(of).is_some()) {
        let before = named.insert(text(rule, of).to_owned(), rule.clone());
        assert!(before.is_none(), "twice: {rule}");
    }
    named
}

/// The alerts, by their names.
fn alerts() -> BTreeMap<String, Value> {
    rules("alert")
}

/// The sections of the runbook, by their headings.
fn sections() -> BTreeMap<&'static str, &'static str> {
    RUNBOOK.split("\n### ").skip(1).map(|section| section.split_once('\n').expect("a body")).collect()
}

#[test]
fn each_says_how_urgent_it_is_and_what_is_wrong() {
    for (name, alert) in alerts() {
        assert!(["critical", "warning"].contains(&text(&alert["labels"], "severity")), "{name}");
        let annotations = &alert["annotations"];
        let summary = text(annotations, "summary");
        assert!(!summary.ends_with('.') && !summary.is_empty(), "{name}: {summary}");
        let description = text(annotations, "description").trim_end_matches("{{ end }}");
        assert!(description.ends_with('.') && description.len() > 60, "{name}: {description}");
    }
}

#[test]
fn each_has_a_section_of_the_runbook_and_each_section_an_alert() {
    let (alerts, sections) = (alerts(), sections());
    let names: BTreeSet<_> = alerts.keys().map(String::as_str).collect();
    assert_eq!(names, sections.keys().copied().collect());
    for (name, body) in sections {
        for part in PARTS {
            assert_eq!(body.matches(part).count(), 1, "{name}: {part}");
        }
        let severity = text(&alerts[name]["labels"], "severity");
        assert!(body.trim_start().starts_with(&format!("`{severity}`")), "{name} is {severity}");
    }
}

#[test]
fn each_is_tested_to_be_quiet_to_fire_and_to_end() {
    let tests = yaml::read(TESTS);
    for name in alerts().keys() {
        // Within one test, in the order of time.
        let is_told = list(&tests, "tests").any(|test| {
            let cases = list(test, "alert_rule_test").filter(|case| text(case, "alertname") == name);
            let fires: Vec<_> = cases.map(|case| list(case, "exp_alerts").next().is_some()).collect();
            fires.first() == Some(&false) && fires.contains(&true) && fires.last() == Some(&false)
        });
        assert!(is_told, "{name}");
    }
}

/// The words of an expression, and what is quoted in it.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn each_asks_for_metrics_labels_and_values_that_there_are() {
    let listed = listed();
    let labels: BTreeSet<_> = listed.values().flat_map(|(_, labels)| labels).map(String::as_str).collect();
    let is_count = |word: &str| {
        let histogram = word.strip_suffix("_count").and_then(|family| listed.get(family));
        histogram.is_some_and(|(kind, _)| kind == "histogram")
    };
    for (name, rule) in alerts().into_iter().chain(rules("record")) {
        let annotations = ["summary", "description"].map(|key| rule["annotations"][key].as_str());
        let mut metrics = 0;
        for told in [text(&rule, "expr")].into_iter().chain(annotations.into_iter().flatten()) {
            for word in words(told) {
                if listed.contains_key(word) || is_count(word) {
                    metrics += 1;
                } else if word.starts_with("regwatch_") || word.starts_with("aws_") {
                    assert!(labels.contains(word), "{name}: there is no {word}");
                } else if word.len() > 3 && word.bytes().all(|c| c.is_ascii_uppercase() || c == b'_') {
                    assert!(Status::ALL.iter().any(|status| status.as_str() == word), "{name}: {word}");
                }
            }
            let reasons = told.split("reason=~\"").skip(1).filter_map(|rest| rest.split('"').next());
            for reason in reasons.flat_map(|reasons| reasons.split('|')) {
                assert!(FailureReason::ALL.iter().any(|known| known.as_str() == reason), "{name}: {reason}");
            }
        }
        assert!(metrics > 0, "{name}");
    }
}

#[test]
fn what_is_recorded_is_looked_at_and_what_is_looked_at_is_recorded() {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let expressions: Vec<_> = alerts().values().map(|alert| text(alert, "expr").to_owned()).collect();
    let names = expressions.iter().flat_map(|expression| expression.split(|c| !is_in_name(c)));
    let looked_at: BTreeSet<_> = names.filter(|name| name.contains(':')).map(str::to_owned).collect();
    // But for steps of subqueries, which end with a letter.
    let looked_at = looked_at.into_iter().filter(|name| name.matches(':').count() == 2);
    assert_eq!(looked_at.collect::<BTreeSet<_>>(), rules("record").into_keys().collect());
}
