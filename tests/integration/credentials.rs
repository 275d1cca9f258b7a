//! Credentials are fetched once, renewed in time, and their failures are failures of their own.

use std::time::Duration;

use regwatch::sim::{Call, Fault, Operation, Quota, Service, World};

use crate::harness::{Aws, HUB, hub, hub_id, id, identities, member};
use crate::page::Page;

/// A fleet of members, each polled in two regions through its own role.
fn config(members: u64) -> String {
    let mut yaml = format!(
        "
polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, stale_after: 60s, start_window: 500ms}}
limits: {{sts_requests_per_second: 50}}
{}accounts:\n",
        identities()
    );
    for number in 1..=members {
        yaml += &format!(
            "  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1, eu-central-1]}}}}\n",
            id(number)
        );
    }
    yaml
}

fn world(members: u64) -> World {
    (1..=members).fold(World::new().management(hub()), |world, number| world.member(member(number)))
}

fn assumed(call: &Call, number: u64) -> bool {
    call.operation == Operation::AssumeRole && call.about == Some(id(number))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_once_however_many_wait_for_it() {
    let aws = Aws::start(world(20)).await;
    let watch = aws.watch(&config(20)).await;
    let well =
        |page: &Page| page.sum("regwatch_polls_total") >= 120.0 && page.sum("regwatch_target_up") == 40.0;
    let page = watch.until("three polls of each target, and all answer", well).await;
    for number in 1..=20 {
        assert_eq!(aws.control.count(|call| assumed(call, number)), 1, "of account {number}");
    }
    assert_eq!(aws.control.count(|call| call.operation == Operation::GetCallerIdentity), 1);
    // The hub's own credentials, and one session for each member.
    assert_eq!(page.value("regwatch_credentials_refreshes_total"), Some(21.0));
    let sts =
        format!(r#"regwatch_scope_allowed_requests_per_second{{service="sts",caller_account_id="{HUB}"}}"#);
    assert_eq!(page.value(&sts), Some(50.0));
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_renewed_before_it_ends() {
    let aws = Aws::start(world(3)).await;
    aws.control.set_session_lifetime(Duration::from_secs(5));
    let watch = aws.watch(&config(3)).await;
    let renewed = |_: &_| (1..=3).all(|number| aws.control.count(|call| assumed(call, number)) >= 4);
    let page = watch.until("each session was renewed three times", renewed).await;
    // A busy machine may let a call time out; that has nothing to do with credentials.
    assert_eq!(page.sum(r#"regwatch_poll_failures_total{reason="credentials"}"#), 0.0, "{}", page.0);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_aws_refuses_are_replaced() {
    let aws = Aws::start(world(3)).await;
    let watch = aws.watch(&config(3)).await;
    watch.until("all have answered", |page| page.sum("regwatch_target_up") == 6.0).await;
    aws.control.expire_sessions();
    let refused = r#"regwatch_poll_failures_total{reason="credentials"}"#;
    watch.until("the sessions were refused", |page| page.sum(refused) >= 3.0).await;
    let page = watch.until("all answer again", |page| page.sum("regwatch_target_up") == 6.0).await;
    assert!(page.sum(refused) <= 6.0, "one refusal a target is enough\n{}", page.0);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_be_assumed_fails_its_own_targets_alone() {
    let aws = Aws::start(world(3)).await;
    aws.control.set_fault(id(2), Operation::AssumeRole, Fault::Denied);
    let watch = aws.watch(&config(3)).await;
    let failed = r#"regwatch_poll_failures_total{aws_account_id="000000000002",reason="credentials"}"#;
    let page = watch
        .until("the others answer", |page| page.sum("regwatch_target_up") == 4.0 && page.sum(failed) >= 2.0)
        .await;
    assert_eq!(page.sum(r#"regwatch_poll_failures_total{reason="credentials"}"#), page.sum(failed));
    let denied = r#"regwatch_credentials_refresh_failures_total{reason="access_denied"}"#;
    assert!(page.value(denied) >= Some(1.0), "{}", page.0);
    aws.control.clear_fault(id(2), Operation::AssumeRole);
    watch.until("it answers too", |page| page.sum("regwatch_target_up") == 6.0).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sts_is_paced_and_backed_off_from_like_any_scope() {
    let aws = Aws::start(world(40)).await;
    aws.control.set_quota(hub_id(), Service::Sts, Quota::per_second(5.0));
    let watch = aws.watch(&config(40)).await;
    let page = watch.until("all have answered", |page| page.sum("regwatch_target_up") == 80.0).await;
    let throttled = page.sum(r#"regwatch_scope_throttled_total{service="sts"}"#);
    assert!((1.0..10.0).contains(&throttled), "{throttled} of some 40 calls were throttled");
    let allowed = page.sum(r#"regwatch_scope_allowed_requests_per_second{service="sts"}"#);
    assert!(allowed < 20.0, "of 50, {allowed} are allowed behind a quota of 5");
    assert_eq!(page.sum(r#"regwatch_scope_throttled_total{service="iotfleetwise"}"#), 0.0);
    watch.end().await;
}
