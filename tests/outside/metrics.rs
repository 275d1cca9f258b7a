//! The metrics page of a snapshot that has something of everything, before its judges.

use std::time::Duration;

use regwatch::metrics::Metrics;
use regwatch::model::{FailureReason, Probe};

use crate::judge::{as_python_reads, assert_promtool_is_content};
use crate::sinks::two_sinks;
use crate::snapshot::{NOW, rich};

async fn page() -> String {
    let now = NOW.parse().expect("a time");
    let metrics = Metrics::new();
    metrics.show_sinks(two_sinks(now).await);
    metrics.polled(Probe::GovCloud, Duration::from_millis(3), Duration::from_millis(120));
    metrics.credentials_refreshed(Ok(()));
    metrics.credentials_refreshed(Err(FailureReason::AccessDenied));
    metrics.render(rich(), now)
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    assert_promtool_is_content(&page().await);
}

#[tokio::test]
async fn python_reads_it_all() {
    let families = as_python_reads(&page().await);
    let names: Vec<_> =
        families["regwatch_account_info"].iter().map(|labels| labels["account_name"].as_str()).collect();
    assert_eq!(names, ["fleet-prod", "a \"hub\",\\ and\nmore ü"]);
    let sinks = families["regwatch_events_pending"].iter().map(|labels| labels["sink"].as_str());
    assert_eq!(sinks.collect::<Vec<_>>(), ["log", "a \"hook\""]);
}
