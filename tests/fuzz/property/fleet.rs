//! The targets of a fleet, in the pages of the API.

use std::collections::BTreeSet;

use regwatch::model::{Fleet, Target};
use serde_json::Value;

use super::visitor::Visitor;

/// The cursor of a target.
pub(super) fn begin_at(target: &Target) -> String {
    let region = target.region.iter().map(|region| format!(".{region}"));
    format!("{}.{}{}", target.account.id, target.probe.as_str(), region.collect::<String>())
}

/// The cursor of a target that the API shows.
pub(super) fn key(item: &Value) -> String {
    let parts = [&item["account_id"], &item["probe"], &item["region"]];
    parts.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(".")
}

/// Every target of the fleet is on one of the pages, and each page's cursor leads to the next.
pub(super) async fn check_pages(visitor: &mut Visitor, fleet: &Fleet) {
    let expected: BTreeSet<_> = fleet.targets.iter().map(begin_at).collect();
    let limit = expected.len().div_ceil(4).max(1);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let target = format!("/api/v1/targets?limit={limit}{after}");
        let page = visitor.get(target.as_bytes()).await.json(200);
        seen.extend(page["items"].as_array().expect("items").iter().map(key));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(seen.last().map(String::as_str), Some(next), "a cursor is the key of the last target");
        after = format!("&after={next}");
    }
    assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());
}
