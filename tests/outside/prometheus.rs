//! A real Prometheus scrapes the demo: it finds what the demo's script does, its alerts fire, and it takes
//! every sample.

mod alerts;
mod door;
mod server;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::demo::{self, FAILED};
use crate::page::Page;
use server::{Series, Server};

/// The last thing that the demo shows.
const LAST: &str = r#"regwatch_transitions_total{to="SUSPENDED"} > 0"#;

/// What Prometheus counts of samples that it did not take.
const NOT_TAKEN: [&str; 4] = [
    "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "prometheus_target_scrapes_sample_out_of_bounds_total",
    "prometheus_target_scrapes_exceeded_sample_limit_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_what_the_script_does_and_alerts() {
    let demo = demo::start().await;
    let prometheus = Server::start(&demo.url, alerts::rules()).await;
    let failed = r#"aws_fleetwise_registration_status{status="REGISTRATION_FAILURE"} == 1"#;
    let found = prometheus.until("a registration has failed", failed, |found| !found.is_empty()).await;
    let whose = |found: &[Series]| -> BTreeSet<_> {
        let labels = ["aws_account_id", "aws_region", "resource"];
        found.iter().map(|series| series.labels(labels).map(str::to_owned)).collect()
    };
    let expected = ["account", "iam"].map(|resource| [FAILED.0, "us-east-1", resource].map(str::to_owned));
    let expected = BTreeSet::from(expected);
    assert_eq!(whose(&found), expected);

    prometheus.until("the demo has shown everything", LAST, |found| !found.is_empty()).await;
    assert_eq!(whose(&prometheus.query(failed).await), expected);
    // Counted once, and for as long as the process lives.
    let id = FAILED.0;
    let counted = format!(
        r#"regwatch_transitions_total{{aws_account_id="{id}", from="REGISTRATION_PENDING", to="REGISTRATION_FAILURE"}} == 1"#
    );
    assert_eq!(whose(&prometheus.query(&counted).await), expected);
    // As the README has it; a counter that began with 1 would have had no increase.
    let changed = r#"increase(regwatch_transitions_total{to="REGISTRATION_FAILURE"}[1h]) > 0"#;
    assert_eq!(whose(&prometheus.query(changed).await), expected);

    alerts::fire_for_whom_they_are_meant(&prometheus).await;
    took_every_sample(&prometheus).await;
}

/// Asserts that no scrape failed, and that no sample of any was refused, dropped or there twice.
async fn took_every_sample(prometheus: &Server) {
    let never_down = "min_over_time(up[5m]) == 1 and count_over_time(up[5m]) > 15";
    assert_eq!(prometheus.query(never_down).await.len(), 1, "{:?}", prometheus.query("up[5m]").await);
    let targets: Value = prometheus.api("targets").await;
    assert_eq!(targets["activeTargets"].as_array().map(Vec::len), Some(1), "{targets}");
    assert_eq!(targets["activeTargets"][0]["lastError"], "", "{targets}");
    // Of two equal samples in one scrape the second is taken for the first, and only the sum tells.
    let twice =
        r#"scrape_samples_scraped - on () count({job="regwatch", __name__!~"up|scrape_.*|ALERTS.*"})"#;
    let twice = prometheus.query(twice).await;
    assert_eq!(twice.iter().map(Series::value).collect::<Vec<_>>(), [0.0]);
    let own = Page(prometheus.get("/metrics").await.1);
    for count in NOT_TAKEN {
        assert_eq!(own.value(count), Some(0.0), "{count}");
    }
    let log = prometheus.program.log();
    let complaints = |line: &&str| line.contains("level=warn") || line.contains("level=error");
    assert_eq!(log.lines().find(complaints), None);
}
