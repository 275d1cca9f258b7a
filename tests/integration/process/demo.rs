//! `regwatch demo`: within half a minute, everything that it promises for that time can be seen. What is
//! mended later tests/outside waits for.

use std::time::Duration;

use tokio::time::Instant;

use super::{Running, regwatch};
use crate::page::Page;

/// Something to see, and how to tell that it is there.
type Sight = (&'static str, fn(&Page) -> bool);

/// What the demo shows in half a minute, and four times that for a busy machine.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn half_a_minute_shows_what_it_promises() {
    let mut command = regwatch();
    command.args(["demo", "--web.listen-address", "127.0.0.1:0"]);
    let began = Instant::now();
    let running = Running::listening(command).await;
    let sights: [Sight; 8] = [
        ("a registration succeeds", |page| {
            page.sum(r#"regwatch_transitions_total{resource="account",from="REGISTRATION_PENDING",to="REGISTRATION_SUCCESS"}"#) > 0.0
        }),
        ("a registration fails", |page| {
            page.sum(r#"regwatch_transitions_total{resource="account",from="REGISTRATION_PENDING",to="REGISTRATION_FAILURE"}"#) > 0.0
        }),
        ("a GovCloud account is activated", |page| {
            page.sum(r#"regwatch_transitions_total{from="PENDING_ACTIVATION",to="ACTIVE"}"#) > 0.0
        }),
        ("an account is denied", |page| {
            page.sum(r#"regwatch_poll_failures_total{reason="access_denied"}"#) > 0.0
        }),
        ("a scope is throttled", |page| {
            page.sum(r#"regwatch_scope_throttled_total{service="account"}"#) > 0.0
        }),
        ("a registration changes and comes back", |page| {
            page.sum(r#"regwatch_transitions_total{from="REGISTRATION_SUCCESS",to="REGISTRATION_SUCCESS"}"#)
                > 0.0
        }),
        ("a GovCloud account is suspended", |page| {
            page.sum(r#"regwatch_transitions_total{from="ACTIVE",to="SUSPENDED"}"#) > 0.0
        }),
        ("the throttled scope recovers", |page| {
            page.sum(r#"regwatch_scope_backoff_until_timestamp_seconds{service="account"}"#) == 0.0
                && page.sum(r#"regwatch_target_up{probe="govcloud"}"#)
                    == page.count(r#"regwatch_target_up{probe="govcloud"}"#) as f64
        }),
    ];
    for (sight, is_seen) in sights {
        running.until(sight, is_seen).await;
        println!("{sight}: seen {:.1} s from the start", began.elapsed().as_secs_f64());
    }
    assert!(began.elapsed() < SHOWN_WITHIN, "after {:?}", began.elapsed());
    running.signal("INT").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("trust policy"), "AWS's own words for the failure are in the log:\n{log}");
}
