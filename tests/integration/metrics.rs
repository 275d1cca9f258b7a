//! The metrics page as a whole.

mod reference;

use std::time::Duration;

use jiff::Timestamp;
use regwatch::metrics::Metrics;
use regwatch::model::{FailureReason, Probe};

use crate::sinks::two_sinks;
use crate::snapshot::{NOW, rich};

async fn metrics(now: Timestamp) -> Metrics {
    let metrics = Metrics::new();
    metrics.show_sinks(two_sinks(now).await);
    metrics
}

/// The page that has something of everything.
async fn page() -> String {
    let now = NOW.parse().expect("a time");
    metrics(now).await.render(rich(), now)
}

#[tokio::test]
async fn the_page_of_a_snapshot_is_the_golden_one() {
    let page = page().await;
    let own = page.find("# HELP process_").expect("what the process uses stands after the state");
    let state = &page[..own];
    assert!(state == include_str!("metrics.prom"), "tests/integration/metrics.prom is not\n{state}");
}

#[tokio::test]
async fn the_page_has_no_series_twice_and_no_nan() {
    let page = page().await;
    let mut series: Vec<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            assert!(value.parse::<f64>().is_ok_and(|value| !value.is_nan()), "{line}");
            series
        })
        .collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all);
}

#[tokio::test]
async fn pieces_make_the_page() {
    let now = NOW.parse().expect("a time");
    let metrics = metrics(now).await;
    let pieces: String = metrics.page(rich(), now).collect();
    let state = |page: &str| page.split("# HELP process_").next().map(str::to_owned);
    assert_eq!(state(&pieces), state(&metrics.render(rich(), now)));
}

#[test]
fn what_happens_is_counted_where_it_happens() {
    let metrics = Metrics::new();
    metrics.polled(Probe::GovCloud, Duration::from_millis(3), Duration::from_millis(120));
    metrics.credentials_refreshed(Ok(()));
    metrics.credentials_refreshed(Err(FailureReason::AccessDenied));
    let page = metrics.render(rich(), NOW.parse().expect("a time"));
    for line in [
        "regwatch_poll_duration_seconds_bucket{probe=\"govcloud\",le=\"0.1\"} 0",
        "regwatch_poll_duration_seconds_bucket{probe=\"govcloud\",le=\"0.2\"} 1",
        "regwatch_poll_duration_seconds_count{probe=\"fleetwise\"} 0",
        "regwatch_poll_lag_seconds_sum 0.003",
        "regwatch_credentials_refreshes_total 2",
        "regwatch_credentials_refresh_failures_total{reason=\"access_denied\"} 1",
        "regwatch_credentials_refresh_failures_total{reason=\"throttled\"} 0",
        concat!("regwatch_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(page.lines().any(|written| written == line), "{line} is not in\n{page}");
    }
}
