//! Organizations whose accounts are found, joined and left, by the whole daemon against the simulated AWS.

use std::path::Path;
use std::time::Duration;

use regwatch::config::Config;
use regwatch::model::Region;
use regwatch::sim::{
    Account, Call, Fault, MemberState, Operation, Outcome, Quota, Registration, RegistrationStatus, Service,
    World,
};

use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::watch::Watch;

const POLLING: &str = "polling: {interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, \
                       stale_after: 1m, start_window: 500ms}\n";

/// A configuration that finds all accounts but the hub, with more of the file and of the organization.
fn config(more: &str, of_organization: &str) -> String {
    format!(
        "{POLLING}limits: {{organizations_requests_per_second: 50}}\n{more}{}organizations:\n  - {{name: fleet, \
         identity: hub, fleetwise: {{identity: member, regions: [us-east-1]}}, exclude: [{{name: hub}}], \
         refresh: 1s{of_organization}}}\n",
        identities()
    )
}

/// An organization of the hub and these, whose lists are hardly limited.
async fn organization(members: impl IntoIterator<Item = Account>) -> Aws {
    let world = World::new().management(hub()).quota(Service::Organizations, Quota::per_second(1000.0));
    Aws::start(members.into_iter().fold(world, World::member)).await
}

fn up(number: u64) -> String {
    format!(r#"regwatch_target_up{{aws_account_id="{}"}}"#, id(number))
}

fn are_up(numbers: &[u64]) -> impl Fn(&Page) -> bool {
    let series: Vec<_> = numbers.iter().map(|number| up(*number)).collect();
    move |page| {
        page.count("regwatch_target_up") == series.len()
            && series.iter().all(|series| page.value(series) == Some(1.0))
    }
}

fn polls(aws: &Aws, number: u64) -> usize {
    aws.control.count(|call: &Call| {
        call.operation == Operation::GetRegisterAccountStatus && call.about == Some(id(number))
    })
}

/// The kinds of the events of an account's registration, the oldest first.
async fn kinds(watch: &Watch, number: u64) -> Vec<String> {
    let path = format!("/api/v1/events?account={}&resource=account", id(number));
    let (status, text) = watch.get(&path).await;
    assert_eq!(status, 200, "{text}");
    let events: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let items = events["items"].as_array().expect("a list").iter();
    items.map(|event| event["data"]["kind"].as_str().expect("a word").to_owned()).collect()
}

async fn until_kinds(watch: &Watch, number: u64, expected: &[&str]) {
    let began = tokio::time::Instant::now();
    loop {
        let seen = kinds(watch, number).await;
        if seen == expected {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{seen:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn with_store(aws: &Aws, folder: &Path, of_organization: &str) -> Watch {
    let store = format!("store: {{path: {}}}\n", folder.join("regwatch.db").display());
    aws.watch(&config(&store, of_organization)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_join_and_leave() {
    let away = regwatch::sim::Script::new(false);
    let world = World::new().management(hub()).quota(Service::Organizations, Quota::per_second(1000.0));
    let world = (1..=25).fold(world, |world, number| world.member(member(number)));
    let aws = Aws::start(world.joining(member(30), away)).await;
    let watch = aws.watch(&config("", ", grace: 10s, labels: {team: a}")).await;
    // More than one page of them, and not the hub, which is excluded.
    let all: Vec<u64> = (1..=25).collect();
    let page = watch.until("all are found", are_up(&all)).await;
    let named = format!(
        r#"regwatch_account_info{{aws_account_id="{}",account_name="member-7",label_team="a"}}"#,
        id(7)
    );
    assert_eq!(page.value(&named), Some(1.0), "{}", page.0);
    assert_eq!(watch.get("/-/ready").await.0, 200);

    aws.control.set_member(id(30), true);
    let with_it: Vec<u64> = (1..=25).chain([30]).collect();
    watch.until("it has joined", are_up(&with_it)).await;

    // It stays visible for the grace, and is not asked meanwhile.
    aws.control.set_member(id(30), false);
    let leaving = |page: &Page| page.sum(r#"regwatch_leaving_accounts{organization="fleet"}"#) == 1.0;
    let page = watch.until("it is leaving", leaving).await;
    let asked = polls(&aws, 30);
    assert!(page.value(&up(30)).is_some(), "{}", page.0);
    let (_, target) = watch.get(&format!("/api/v1/targets/{}/fleetwise/us-east-1", id(30))).await;
    let target: serde_json::Value = serde_json::from_str(&target).expect("JSON");
    assert!(target["left_at"].is_string() && target["next_poll"].is_null(), "{target:#}");
    let (_, shown) = watch.get(&format!("/targets/{}/fleetwise/us-east-1", id(30))).await;
    assert!(shown.contains("Not asked since its account left the organization"), "{shown}");
    watch.until("it is gone", are_up(&all)).await;
    assert!(polls(&aws, 30) <= asked + 1, "it was asked while it was leaving");
    until_kinds(&watch, 30, &["first_seen", "ended"]).await;

    // Coming back it is new.
    aws.control.set_member(id(30), true);
    watch.until("it is back", are_up(&with_it)).await;
    until_kinds(&watch, 30, &["first_seen", "ended", "first_seen"]).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_other_than_active_is_as_good_as_gone() {
    let aws = organization((1..=4).map(member)).await;
    aws.control.set_member_state(id(4), MemberState::PendingActivation);
    let watch = aws.watch(&config("", ", grace: 0s")).await;
    watch.until("three are active", are_up(&[1, 2, 3])).await;
    for (number, state) in
        [(1, MemberState::Suspended), (2, MemberState::PendingClosure), (3, MemberState::Closed)]
    {
        aws.control.set_member_state(id(number), state);
    }
    aws.control.set_member_state(id(4), MemberState::Active);
    watch.until("one is left", are_up(&[4])).await;
    for number in 1..=3 {
        until_kinds(&watch, number, &["first_seen", "ended"]).await;
    }
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn back_within_the_grace_is_as_if_nothing_had_been() {
    let aws = organization((1..=2).map(member)).await;
    let watch = aws.watch(&config("", ", grace: 1h")).await;
    watch.until("both are found", are_up(&[1, 2])).await;
    let leaving = r#"regwatch_leaving_accounts{organization="fleet"}"#;
    aws.control.set_member(id(1), false);
    watch.until_is(leaving, 1.0).await;
    // What changes meanwhile is found when it is back.
    let failed = Registration::new(RegistrationStatus::Failure);
    aws.control.set_registration(id(1), &Region::new("us-east-1"), Some(failed));
    let asked = polls(&aws, 1);
    aws.control.set_member(id(1), true);
    watch.until_is(leaving, 0.0).await;
    watch.until("it is asked again", |_| polls(&aws, 1) > asked).await;
    until_kinds(&watch, 1, &["first_seen", "changed"]).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_keeps_what_is_known_and_says_so() {
    let aws = organization((1..=25).map(member)).await;
    let watch = aws.watch(&config("", ", grace: 0s")).await;
    let all: Vec<u64> = (1..=25).collect();
    watch.until("all are found", are_up(&all)).await;
    let at = r#"regwatch_discovery_last_success_timestamp_seconds{organization="fleet"}"#;
    for (fault, reason) in [
        (Fault::Denied, "access_denied"),
        (Fault::EmptyObject, "malformed_reply"),
        (Fault::Html(200), "malformed_reply"),
    ] {
        aws.control.set_fault(hub_id(), Operation::ListAccounts, fault);
        let failures =
            format!(r#"regwatch_discovery_failures_total{{organization="fleet",reason="{reason}"}}"#);
        let before = watch.scrape().await.sum(&failures);
        let page = watch.until("it fails", |page| page.sum(&failures) > before).await;
        // That all of them answer just now is more than a busy machine can promise.
        assert_eq!(page.count("regwatch_target_up"), 25, "{fault:?}\n{}", page.0);
        assert!(page.value(at) > Some(0.0), "{}", page.0);
        assert_eq!(page.value(r#"regwatch_discovered_accounts{organization="fleet"}"#), Some(25.0));
        let (_, scopes) = watch.get("/scopes").await;
        assert!(scopes.contains("Cannot be listed") && scopes.contains(reason), "{scopes}");
        let (_, overview) = watch.get("/").await;
        assert!(overview.contains("cannot be listed: who was found before is watched on"), "{overview}");
        aws.control.clear_fault(hub_id(), Operation::ListAccounts);
        let success = page.value(at);
        watch.until("it succeeds again", |page| page.value(at) > success).await;
    }
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_and_tags_choose_and_a_call_for_tags_is_made_only_where_it_is_needed() {
    let vehicles = |number, unit: &str, stage: &str| member(number).unit(unit).tag("stage", stage);
    let aws = organization([
        vehicles(1, "/Vehicles/Prod", "prod"),
        vehicles(2, "/Vehicles/Prod/EU", "prod"),
        vehicles(3, "/Vehicles/Prod", "test"),
        vehicles(4, "/Vehicles", "prod"),
        vehicles(5, "/Vehicles/ProdLike", "prod"),
        vehicles(6, "", "prod"),
    ])
    .await;
    let include = ", include: [{ou: /Vehicles/Prod, tags: {stage: prod}}, {id: '000000000006'}], grace: 0s";
    let watch = aws.watch(&config("", include)).await;
    watch.until("the meant ones are found", are_up(&[1, 2, 6])).await;
    let tags = |number| {
        let is_it =
            |call: &Call| call.operation == Operation::ListTagsForResource && call.about == Some(id(number));
        aws.control.count(is_it) > 0
    };
    assert_eq!((1..=6).map(tags).collect::<Vec<_>>(), [true, true, true, false, false, false]);
    aws.control.set_tag(id(3), "stage", "prod");
    aws.control.set_tag(id(2), "stage", "retired");
    watch.until("tags have moved them", are_up(&[1, 3, 6])).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_lists_goes_before_what_is_found() {
    let aws = organization((1..=2).map(member)).await;
    let yaml = config("", ", grace: 0s, labels: {from: organization}")
        + &format!(
            "accounts:\n  - {{id: '{}', name: mine, labels: {{from: file}}, govcloud: {{identity: hub}}}}\n",
            id(1)
        );
    let watch = aws.watch(&yaml).await;
    let page = watch.until("both are watched", are_up(&[1, 2])).await;
    let named =
        r#"regwatch_account_info{aws_account_id="000000000001",account_name="mine",label_from="file"}"#;
    assert_eq!(page.value(named), Some(1.0), "{}", page.0);
    assert_eq!(page.count(r#"regwatch_target_up{probe="fleetwise",aws_account_id="000000000001"}"#), 0);
    // And whether it is in the organization means nothing.
    aws.control.set_member_state(id(2), MemberState::Suspended);
    aws.control.set_member_state(id(1), MemberState::Suspended);
    watch.until("the found one has gone", are_up(&[1])).await;
    until_kinds(&watch, 1, &[]).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_paced_and_backed_off_like_every_scope() {
    let aws = organization((1..=25).map(member)).await;
    aws.control.set_quota(hub_id(), Service::Organizations, Quota { rate: 2.0, burst: 1.0 });
    let watch = aws.watch(&config("", "")).await;
    let all: Vec<u64> = (1..=25).collect();
    watch.until("all are found", are_up(&all)).await;
    let scope = |family: &str| format!(r#"regwatch_scope_{family}{{service="organizations"}}"#);
    let page = watch
        .until("the rate is learnt", |page| page.sum(&scope("allowed_requests_per_second")) < 50.0)
        .await;
    assert!(page.sum(&scope("throttled_total")) >= 1.0, "{}", page.0);
    assert!(
        page.value(&format!(
            r#"regwatch_scope_wanted_requests_per_second{{service="organizations",caller_account_id="{}"}}"#,
            hub_id()
        )) > Some(1.0),
        "two pages a second\n{}",
        page.0
    );
    let is_list = |call: &Call| call.operation == Operation::ListAccounts;
    let accepted = aws.control.count(|call| is_list(call) && call.outcome == Outcome::Accepted);
    assert!(accepted >= 2);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_before_it_was_asked_who_there_is() {
    let aws = organization([member(1)]).await;
    aws.control.set_fault(hub_id(), Operation::ListAccounts, Fault::Hang);
    let watch = aws.watch(&config("", "")).await;
    let asked = |_: &Page| aws.control.count(|call: &Call| call.operation == Operation::ListAccounts) > 0;
    watch.until("it is asked", asked).await;
    assert_eq!(watch.get("/-/ready").await.0, 503);
    aws.control.clear_fault(hub_id(), Operation::ListAccounts);
    watch.until("it is found once the call has timed out", are_up(&[1])).await;
    assert_eq!(watch.get("/-/ready").await.0, 200);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_was_found_while_nobody_tells() {
    let aws = organization((1..=3).map(member)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let watch = with_store(&aws, folder.path(), ", grace: 1h").await;
    watch.until("all are found", are_up(&[1, 2, 3])).await;
    aws.control.set_member(id(3), false);
    watch.until_is(r#"regwatch_leaving_accounts{organization="fleet"}"#, 1.0).await;
    until_kinds(&watch, 3, &["first_seen"]).await;
    watch.end().await;

    aws.control.set_fault(hub_id(), Operation::ListAccounts, Fault::Denied);
    let watch = with_store(&aws, folder.path(), ", grace: 1h").await;
    assert_eq!(watch.get("/-/ready").await.0, 200, "it is known from before");
    let asked = polls(&aws, 3);
    let page = watch
        .until("those that are known answer", |page| {
            [1, 2].iter().all(|number| page.value(&up(*number)) == Some(1.0))
        })
        .await;
    assert_eq!(page.count("regwatch_target_up"), 3, "{}", page.0);
    assert_eq!(polls(&aws, 3), asked, "it has left");
    watch.end().await;

    // Its grace is over while nobody is there; its end is told once.
    for _ in 0..2 {
        let watch = with_store(&aws, folder.path(), ", grace: 1s").await;
        watch.until("it is gone", |page| page.count("regwatch_target_up") == 2).await;
        until_kinds(&watch, 3, &["first_seen", "ended"]).await;
        watch.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_what_was_found_and_drops_what_goes() {
    let aws = organization((1..=3).map(member)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    let yaml = config("", ", grace: 0s");
    std::fs::write(&path, &yaml).expect("written");
    let (parsed, _) = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let (watch, trigger, _) = Watch::of_config(parsed, Some(path.clone()), aws.overrides()).await;
    watch.until("all are found", are_up(&[1, 2, 3])).await;
    let reload = async |yaml: &str| {
        std::fs::write(&path, yaml).expect("written");
        trigger.pull().await.unwrap_or_else(|refused| panic!("{refused}"));
    };
    // Nobody tells any more, and nobody has to.
    aws.control.set_fault(hub_id(), Operation::ListAccounts, Fault::Denied);
    reload(&yaml.replace("refresh: 1s", "refresh: 1s, labels: {team: b}")).await;
    let page = watch.scrape().await;
    assert_eq!(page.count(r#"regwatch_account_info{label_team="b"}"#), 3, "{}", page.0);
    assert_eq!(page.count("regwatch_target_up"), 3, "{}", page.0);
    aws.control.clear_fault(hub_id(), Operation::ListAccounts);
    // Another choice is listed at once.
    reload(&yaml.replace("{name: hub}", "{name: hub}, {name: member-2}")).await;
    watch.until("one is not chosen any more", are_up(&[1, 3])).await;
    until_kinds(&watch, 2, &["first_seen", "ended"]).await;
    let listed = format!(
        "accounts:\n  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n",
        id(3)
    );
    let without = yaml.split("organizations:\n").next().expect("a text").to_owned() + &listed;
    reload(&without).await;
    let page = watch.scrape().await;
    assert_eq!((page.count("regwatch_target_up"), page.value(&up(3)).is_some()), (1, true), "{}", page.0);
    assert_eq!(page.count("regwatch_discovered_accounts"), 0, "{}", page.0);
    until_kinds(&watch, 1, &["first_seen"]).await;
    watch.end().await;
}
