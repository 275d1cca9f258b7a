//! The metrics page of a snapshot that has something of everything, before its judges.

use std::time::Duration;

use regwatch::metrics::Metrics;
use regwatch::model::{FailureReason, Probe};

use crate::judge::{as_python_reads, assert_promtool_is_content};
use crate::snapshot::{NOW, rich};

fn page() -> String {
    let metrics = Metrics::new();
    metrics.polled(Probe::GovCloud, Duration::from_millis(3), Duration::from_millis(120));
    metrics.credentials_refreshed(Ok(()));
    metrics.credentials_refreshed(Err(FailureReason::AccessDenied));
    metrics.render(rich(), NOW.parse().expect("a time"))
}

#[test]
fn promtool_finds_nothing_to_say() {
    assert_promtool_is_content(&page());
}

#[test]
fn python_reads_it_all() {
    let families = as_python_reads(&page());
    let names: Vec<_> =
        families["regwatch_account_info"].iter().map(|labels| labels["account_name"].as_str()).collect();
    assert_eq!(names, ["fleet-prod", "a \"hub\",\\ and\nmore ü"]);
}
