//! The metrics page of a daemon at work: before its judges, and with exactly the families and labels that
//! dashboards and alerts are written for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::demo;
use crate::judge::{as_python_reads, assert_promtool_is_content};
use crate::page::Page;

/// How long the demo takes to show everything.
const SHOWN: Duration = Duration::from_secs(30);

/// What names a target.
const TARGET: [&str; 3] = ["probe", "aws_account_id", "aws_region"];

/// Each family, and the labels that each of its series has. A change here breaks what users have written.
#[rustfmt::skip]
const FAMILIES: [(&str, &[&str]); 43] = [
    ("aws_fleetwise_registration_status", &["aws_account_id", "aws_region", "resource", "status"]),
    ("aws_fleetwise_registration_since_timestamp_seconds", &["aws_account_id", "aws_region", "resource"]),
    ("aws_fleetwise_registration_created_timestamp_seconds", &["aws_account_id", "aws_region"]),
    ("aws_fleetwise_registration_last_modified_timestamp_seconds", &["aws_account_id", "aws_region"]),
    ("aws_fleetwise_registration_info",
     &["aws_account_id", "aws_region", "role_arn", "timestream_database_name", "timestream_table_name"]),
    ("aws_govcloud_account_state", &["aws_account_id", "state"]),
    ("aws_govcloud_account_since_timestamp_seconds", &["aws_account_id"]),
    ("aws_govcloud_account_info", &["aws_account_id", "govcloud_account_id"]),
    ("regwatch_transitions_total", &["probe", "aws_account_id", "aws_region", "resource", "from", "to"]),
    // The last two are the demo's own.
    ("regwatch_account_info", &["aws_account_id", "account_name", "label_stage", "label_team"]),
    ("regwatch_target_up", &TARGET),
    ("regwatch_target_stale", &TARGET),
    ("regwatch_target_last_attempt_timestamp_seconds", &TARGET),
    ("regwatch_target_last_success_timestamp_seconds", &TARGET),
    ("regwatch_target_next_poll_timestamp_seconds", &TARGET),
    ("regwatch_polls_total", &TARGET),
    ("regwatch_poll_failures_total", &["probe", "aws_account_id", "aws_region", "reason"]),
    ("regwatch_poll_duration_seconds", &["probe"]),
    ("regwatch_poll_lag_seconds", &[]),
    ("regwatch_scope_backoff_until_timestamp_seconds", &["service", "caller_account_id", "aws_region"]),
    ("regwatch_scope_allowed_requests_per_second", &["service", "caller_account_id", "aws_region"]),
    ("regwatch_scope_wanted_requests_per_second", &["service", "caller_account_id", "aws_region"]),
    ("regwatch_scope_throttled_total", &["service", "caller_account_id", "aws_region"]),
    ("regwatch_events_delivered_total", &["sink"]),
    ("regwatch_event_delivery_failures_total", &["sink", "reason"]),
    ("regwatch_events_pending", &["sink"]),
    ("regwatch_event_delivery_lag_seconds", &["sink"]),
    ("regwatch_events_parked_total", &["sink"]),
    ("regwatch_store_pending_events", &[]),
    ("regwatch_store_write_failures_total", &[]),
    ("regwatch_store_dropped_events_total", &[]),
    ("regwatch_credentials_refreshes_total", &[]),
    ("regwatch_credentials_refresh_failures_total", &["reason"]),
    ("regwatch_config_last_reload_successful", &[]),
    ("regwatch_config_last_reload_success_timestamp_seconds", &[]),
    ("regwatch_build_info", &["version"]),
    ("process_cpu_seconds_total", &[]),
    ("process_max_fds", &[]),
    ("process_open_fds", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
    ("process_threads", &[]),
    ("process_virtual_memory_bytes", &[]),
];

/// A family with the names of its labels, in one text.
fn family<'a>(name: &str, labels: impl Iterator<Item = &'a str>) -> String {
    let labels: Vec<_> = labels.collect::<BTreeSet<_>>().into_iter().collect();
    format!("{name}{{{}}}", labels.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_half_a_minute_the_demo_shows_what_is_listed_and_nothing_else() {
    let demo = demo::start().await;
    let began = Instant::now();
    let suspended = r#"regwatch_transitions_total{from="ACTIVE",to="SUSPENDED"}"#;
    let is_shown = |page: &Page| began.elapsed() > SHOWN && page.sum(suspended) == 1.0;
    let page =
        Page::until(&reqwest::Client::new(), &demo.url, "the demo has shown everything", is_shown).await;
    assert_promtool_is_content(&page.0);
    let families = as_python_reads(&page.0);
    let shown: BTreeSet<_> = families
        .iter()
        .flat_map(|(name, series)| {
            series.iter().map(|labels| family(name, labels.keys().map(String::as_str)))
        })
        .collect();
    let listed = FAMILIES.map(|(name, labels)| family(name, labels.iter().copied())).into();
    let unlisted: Vec<_> = shown.difference(&listed).collect();
    let missing: Vec<_> = listed.difference(&shown).collect();
    assert!(unlisted.is_empty() && missing.is_empty(), "unlisted: {unlisted:?}\nmissing: {missing:?}");
}
