//! What AWS says is what the page says: states, transitions, and failures that change neither.

use std::time::Duration;

use regwatch::model::Region;
use regwatch::sim::{
    Call, Fault, GovCloudState, Operation, Outcome, Registration, RegistrationStatus, Script, World,
};

use crate::harness::{Aws, HUB, hub, id, identities, member};

/// Cadences short enough to wait for.
const QUICK: &str = "
polling: {interval: 1s, pending_interval: 500ms, failed_interval: 1s, timeout: 400ms, stale_after: 3s, start_window: 100ms}
limits: {fleetwise_requests_per_second: 20, account_requests_per_second: 20}
";

const REGION: &str = "us-east-1";

fn config(accounts: &str) -> String {
    format!("{QUICK}{}accounts:\n{accounts}", identities())
}

/// One member, polled for both.
fn one_member() -> String {
    config(
        "  - {id: '000000000001', name: one, labels: {team: telematics},
       fleetwise: {identity: member, regions: [us-east-1]}, govcloud: {identity: hub}}\n",
    )
}

fn success() -> Registration {
    Registration::new(RegistrationStatus::Success)
}

fn status(account: &str, resource: &str, status: &str) -> String {
    format!(
        r#"aws_fleetwise_registration_status{{aws_account_id="{account}",aws_region="us-east-1",resource="{resource}",status="{status}"}}"#
    )
}

fn failures(probe: &str, reason: &str) -> String {
    format!(
        r#"regwatch_poll_failures_total{{probe="{probe}",aws_account_id="000000000001",reason="{reason}"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_is_shown_as_aws_tells_it() {
    let world = World::new()
        .management(hub().govcloud(Script::new(Some(GovCloudState::PendingActivation))))
        .member(member(1))
        .member(
            member(2)
                .registration(
                    REGION,
                    Script::new(Some(Registration::iam_failure("The role cannot be assumed."))),
                )
                .govcloud(Script::new(Some(GovCloudState::Suspended))),
        )
        .member(member(3).registration(REGION, Script::new(None)).govcloud(Script::new(None)))
        .member(
            member(4)
                .registration(REGION, Script::new(Some(success().without_timestream())))
                .govcloud(Script::new(Some(GovCloudState::Closed))),
        );
    let aws = Aws::start(world).await;
    let mut accounts = format!("  - {{id: '{HUB}', govcloud: {{identity: hub}}}}\n");
    for number in 1..=4 {
        accounts += &format!(
            "  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}\n",
            id(number)
        );
    }
    let watch = aws.watch(&config(&accounts)).await;
    let page = watch.until("every target has answered", |page| page.sum("regwatch_target_up") == 9.0).await;

    let is = |series: &str| assert_eq!(page.value(series), Some(1.0), "{series}\n{}", page.0);
    for resource in ["account", "iam", "timestream"] {
        is(&status("000000000001", resource, "REGISTRATION_SUCCESS"));
    }
    is(&status("000000000002", "account", "REGISTRATION_FAILURE"));
    is(&status("000000000002", "iam", "REGISTRATION_FAILURE"));
    is(&status("000000000003", "account", "NOT_REGISTERED"));
    is(&status("000000000004", "account", "REGISTRATION_SUCCESS"));
    let govcloud = |account: &str, state: &str| {
        format!(r#"aws_govcloud_account_state{{aws_account_id="{account}",state="{state}"}}"#)
    };
    is(&govcloud(HUB, "PENDING_ACTIVATION"));
    is(&govcloud("000000000001", "ACTIVE"));
    is(&govcloud("000000000002", "SUSPENDED"));
    is(&govcloud("000000000003", "NOT_LINKED"));
    is(&govcloud("000000000004", "CLOSED"));

    let of = |account: &str, resource: &str| {
        page.count(&format!(
            r#"aws_fleetwise_registration_status{{aws_account_id="{account}",resource="{resource}"}}"#
        ))
    };
    assert_eq!(of("000000000001", "timestream"), 5, "one series for each status");
    assert_eq!(of("000000000003", "iam"), 0, "AWS told of none");
    assert_eq!(of("000000000004", "timestream"), 0, "AWS told of none");
    assert_eq!(page.sum("aws_fleetwise_registration_status"), 9.0, "one status each");
    assert_eq!(page.count("regwatch_target_up"), 9);
    assert_eq!(page.sum("regwatch_target_stale"), 0.0);
    assert_eq!(page.sum("regwatch_transitions_total"), 0.0, "first sight is no transition");
    assert!(!page.0.contains("NaN"));
    watch.end().await;

    // AWS refuses the caller's own id, and needs the id of any other.
    let refused = |call: &Call| matches!(call.outcome, Outcome::Denied | Outcome::Invalid);
    assert_eq!(aws.control.count(refused), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_counted_once_and_its_time_is_kept() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let watch = aws.watch(&one_member()).await;
    let account = "000000000001";
    watch.until_is(&status(account, "account", "REGISTRATION_SUCCESS"), 1.0).await;
    let since = format!(
        r#"aws_fleetwise_registration_since_timestamp_seconds{{aws_account_id="{account}",resource="account"}}"#
    );
    let page = watch.scrape().await;
    let before = page.value(&since).unwrap();
    let transition = |resource: &str| {
        format!(
            r#"regwatch_transitions_total{{probe="fleetwise",aws_account_id="{account}",resource="{resource}",from="REGISTRATION_SUCCESS",to="REGISTRATION_FAILURE"}}"#
        )
    };
    assert_eq!(page.value(&transition("account")), Some(0.0), "increase() needs a step to see");

    let failed = Registration::iam_failure("The role cannot be assumed.");
    aws.control.set_registration(id(1), &Region::new(REGION), Some(failed));
    let page = watch.until_is(&status(account, "account", "REGISTRATION_FAILURE"), 1.0).await;
    assert_eq!(page.value(&status(account, "account", "REGISTRATION_SUCCESS")), Some(0.0));
    assert!(page.value(&since).unwrap() > before);
    assert_eq!(page.value(&transition("account")), Some(1.0));
    assert_eq!(page.value(&transition("iam")), Some(1.0));
    assert_eq!(page.value(&transition("timestream")), Some(0.0));

    // Three polls later it is still one.
    let polls = format!(r#"regwatch_polls_total{{probe="fleetwise",aws_account_id="{account}"}}"#);
    let now = page.value(&polls).unwrap();
    let page = watch.until("three more polls", |page| page.value(&polls) >= Some(now + 3.0)).await;
    assert_eq!(page.value(&transition("account")), Some(1.0));
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_came_back_is_told_by_its_modification_time() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let watch = aws.watch(&one_member()).await;
    let account = "000000000001";
    watch.until_is(&status(account, "account", "REGISTRATION_SUCCESS"), 1.0).await;
    aws.control.set_registration(id(1), &Region::new(REGION), Some(success()));
    let back = format!(
        r#"regwatch_transitions_total{{aws_account_id="{account}",resource="account",from="REGISTRATION_SUCCESS",to="REGISTRATION_SUCCESS"}}"#
    );
    watch.until_is(&back, 1.0).await;
    watch.end().await;
}

/// Every way in which a call can fail, what it is called, and whether a state is left as it was.
#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_reason_and_changes_no_state() {
    use Operation::{GetGovCloudAccountInformation as GovCloud, GetRegisterAccountStatus as FleetWise};
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let watch = aws.watch(&one_member()).await;
    watch.until("both have answered", |page| page.sum("regwatch_target_up") == 2.0).await;
    let cases = [
        (FleetWise, Fault::Throttle { retry_after: None }, "throttled"),
        (GovCloud, Fault::Throttle { retry_after: None }, "throttled"),
        (FleetWise, Fault::Denied, "access_denied"),
        (GovCloud, Fault::Denied, "access_denied"),
        (FleetWise, Fault::ServerError, "server_error"),
        (GovCloud, Fault::ServerError, "server_error"),
        (FleetWise, Fault::Unavailable, "server_error"),
        (GovCloud, Fault::Unavailable, "unavailable"),
        (FleetWise, Fault::ExpiredToken, "credentials"),
        (GovCloud, Fault::ExpiredToken, "credentials"),
        (FleetWise, Fault::Uncoded(429), "throttled"),
        (GovCloud, Fault::Uncoded(404), "malformed_reply"),
        (FleetWise, Fault::Hang, "timeout"),
        (GovCloud, Fault::SlowDrip(Duration::from_millis(100)), "timeout"),
        (FleetWise, Fault::CutBody, "malformed_reply"),
        (GovCloud, Fault::CutBody, "malformed_reply"),
        (FleetWise, Fault::Disconnect, "unreachable"),
        (GovCloud, Fault::Disconnect, "unreachable"),
        (FleetWise, Fault::Html(200), "malformed_reply"),
        (GovCloud, Fault::Html(200), "malformed_reply"),
        (FleetWise, Fault::Html(404), "malformed_reply"),
        (GovCloud, Fault::Html(404), "malformed_reply"),
        (FleetWise, Fault::Html(502), "server_error"),
        (FleetWise, Fault::EmptyObject, "malformed_reply"),
        (GovCloud, Fault::EmptyObject, "malformed_reply"),
        (FleetWise, Fault::WrongAccount, "wrong_account"),
    ];
    for (operation, fault, reason) in cases {
        let probe = if operation == FleetWise { "fleetwise" } else { "govcloud" };
        let series = failures(probe, reason);
        let before = watch.scrape().await.value(&series).unwrap_or(0.0);
        aws.control.set_fault(id(1), operation, fault);
        let described = format!("{operation:?} with {fault:?} is a failure of reason {reason}");
        watch.until(&described, |page| page.value(&series) > Some(before)).await;
        aws.control.clear_fault(id(1), operation);
        let page = watch.until("both answer again", |page| page.sum("regwatch_target_up") == 2.0).await;
        assert_eq!(page.sum("regwatch_transitions_total"), 0.0, "after {fault:?}\n{}", page.0);
    }
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_aws_has_added_is_unknown_and_not_a_failure() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::UnknownEnum);
    aws.control.set_fault(id(1), Operation::GetGovCloudAccountInformation, Fault::UnknownEnum);
    let watch = aws.watch(&one_member()).await;
    watch.until_is(&status("000000000001", "account", "UNKNOWN"), 1.0).await;
    let govcloud = r#"aws_govcloud_account_state{aws_account_id="000000000001",state="UNKNOWN"}"#;
    let page = watch.until_is(govcloud, 1.0).await;
    assert_eq!(page.sum("regwatch_target_up"), 2.0);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_never_answers_has_its_series_and_goes_stale() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Denied);
    let watch = aws.watch(&one_member()).await;
    let labels = r#"{probe="fleetwise",aws_account_id="000000000001",aws_region="us-east-1"}"#;
    let first = watch.scrape().await;
    for family in ["up", "stale", "last_attempt_timestamp_seconds", "last_success_timestamp_seconds"] {
        let series = format!("regwatch_target_{family}{labels}");
        assert!(first.value(&series).is_some(), "{series} is there from the first scrape on");
    }
    let page = watch.until_is(&format!("regwatch_target_stale{labels}"), 1.0).await;
    assert_eq!(page.value(&format!("regwatch_target_up{labels}")), Some(0.0));
    assert_eq!(page.value(&format!("regwatch_target_last_success_timestamp_seconds{labels}")), Some(0.0));
    aws.control.clear_fault(id(1), Operation::GetRegisterAccountStatus);
    watch.until_is(&format!("regwatch_target_stale{labels}"), 0.0).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_once_every_scope_has_made_its_first_attempt() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Denied);
    let watch = aws.watch(&one_member()).await;
    watch.until("both were asked", |page| page.sum("regwatch_polls_total") >= 2.0).await;
    assert_eq!(watch.get("/-/ready").await.0, 200);
    assert_eq!(watch.get("/-/healthy").await.0, 200);
    watch.end().await;
}
