//! A configuration that changes under a daemon at work.

mod storm;

use std::sync::Arc;
use std::time::Duration;

use regwatch::config::Config;
use regwatch::model::Region;
use regwatch::reload::{Refused, Trigger};
use regwatch::sim::{Call, Fault, Operation, Registration, RegistrationStatus, World};
use tokio::sync::watch;

use crate::harness::{Aws, hub, id, identities, member};
use crate::page::Page;
use crate::receiver::Receiver;
use crate::watch::Watch;

/// A file that is written anew, and a daemon that was started with it.
struct Place {
    folder: tempfile::TempDir,
    watch: Watch,
    trigger: Trigger,
    applied: watch::Receiver<Arc<Config>>,
}

impl Place {
    async fn start(aws: &Aws, yaml: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, yaml).expect("written");
        let (config, _) = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let (watch, trigger, applied) = Watch::of_config(config, Some(path), aws.overrides()).await;
        Self { folder, watch, trigger, applied }
    }

    /// Writes the file anew and has it read.
    async fn reload(&self, yaml: &str) -> Result<(), Refused> {
        std::fs::write(self.folder.path().join("config.yaml"), yaml).expect("written");
        self.trigger.pull().await
    }

    /// The same where nothing is wrong.
    async fn adopt(&self, yaml: &str) {
        self.reload(yaml).await.unwrap_or_else(|refused| panic!("{refused}"));
    }

    async fn until_all_are_up(&self, targets: usize) -> Page {
        let is_up = |page: &Page| {
            page.count("regwatch_target_up") == targets && page.sum("regwatch_target_up") == targets as f64
        };
        self.watch.until(&format!("{targets} targets answer"), is_up).await
    }
}

const POLLING: &str = "polling: {interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, \
                       stale_after: 1m, start_window: 500ms}\n";

/// A file with these accounts, each polled through its own role, and whatever else.
fn config(more: &str, accounts: &[&str]) -> String {
    let accounts: String = accounts.iter().map(|account| format!("  - {{{account}}}\n")).collect();
    format!("{POLLING}{more}{}accounts:\n{accounts}", identities())
}

fn account(number: u64) -> String {
    format!("id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}", id(number))
}

async fn members(count: u64) -> Aws {
    Aws::start((1..=count).fold(World::new().management(hub()), |world, n| world.member(member(n)))).await
}

/// The same file, where members are asked in a role that needs no external id.
fn in_another_role(yaml: &str) -> String {
    yaml.replace("role/regwatch'", "role/other'").replace("external_id", "session_name")
}

fn assumed(aws: &Aws, number: u64) -> usize {
    aws.control.count(|call: &Call| call.operation == Operation::AssumeRole && call.about == Some(id(number)))
}

fn asked(aws: &Aws, number: u64) -> usize {
    aws.control.count(|call: &Call| {
        call.operation == Operation::GetRegisterAccountStatus && call.about == Some(id(number))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_come_and_go_and_the_others_do_not_notice() {
    let aws = members(3).await;
    let (one, two, three) = (account(1), account(2), account(3));
    let place = Place::start(&aws, &config("", &[&one, &two])).await;
    place.until_all_are_up(2).await;
    let polls = r#"regwatch_polls_total{aws_account_id="000000000001"}"#;
    let before = place.watch.scrape().await.value(polls).expect("it is watched");

    // Another order, too: places in the file mean nothing.
    place.adopt(&config("", &[&three, &one])).await;
    let page = place.watch.scrape().await;
    assert!(!page.0.contains("000000000002"), "what is gone leaves the page at once\n{}", page.0);
    assert!(page.value(polls) >= Some(before), "what stays counts on\n{}", page.0);
    place.until_all_are_up(2).await;
    let (_, events) = place.watch.get("/api/v1/events?account=000000000002").await;
    assert!(events.contains("REGISTRATION_SUCCESS"), "its history stays: {events}");

    let gone = asked(&aws, 2);
    let page = place.watch.until("polled on", |page| page.value(polls) > Some(before + 3.0)).await;
    assert_eq!(asked(&aws, 2), gone, "what is gone is not asked for");
    assert_eq!((1..=3).map(|number| assumed(&aws, number)).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(aws.control.count(|call: &Call| call.operation == Operation::GetCallerIdentity), 1);
    assert_eq!(page.value("regwatch_config_last_reload_successful"), Some(1.0));
    assert_eq!(place.watch.get("/-/ready").await.0, 200);
    assert_eq!(place.watch.get("/-/healthy").await.0, 200);
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_labels_and_intervals_change_and_what_is_known_stays() {
    let aws = members(2).await;
    let (one, two) = (account(1), account(2));
    let seldom = "polling: {interval: 10m, pending_interval: 10m, failed_interval: 10m, stale_after: 30m}";
    let place = Place::start(&aws, &config("", &[&format!("{one}, name: old, {seldom}"), &two])).await;
    let page = place.until_all_are_up(2).await;
    let since = r#"aws_fleetwise_registration_since_timestamp_seconds{aws_account_id="000000000001",resource="account"}"#;
    let known_since = page.value(since).expect("it is known");
    assert_eq!(asked(&aws, 1), 1);

    place.adopt(&config("", &[&format!("{one}, name: new, labels: {{team: a}}, {seldom}"), &two])).await;
    let page = place.watch.scrape().await;
    let named = r#"regwatch_account_info{aws_account_id="000000000001",account_name="new",label_team="a"}"#;
    assert_eq!(page.value(named), Some(1.0), "{}", page.0);
    assert_eq!(page.value(since), Some(known_since), "{}", page.0);
    assert_eq!(asked(&aws, 1), 1, "nothing made it due");

    place.adopt(&config("", &[&one, &two])).await;
    let often = r#"regwatch_polls_total{aws_account_id="000000000001"}"#;
    let page =
        place.watch.until("it is asked as often as the other", |page| page.value(often) > Some(3.0)).await;
    assert_eq!(page.value(since), Some(known_since), "{}", page.0);
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_with_all_its_mistakes_and_changes_nothing() {
    let aws = members(1).await;
    let one = account(1);
    let place = Place::start(&aws, &config("", &[&one])).await;
    let page = place.until_all_are_up(1).await;
    let at = "regwatch_config_last_reload_success_timestamp_seconds";
    let loaded_at = page.value(at).expect("there from the start");
    assert_eq!(page.value("regwatch_config_last_reload_successful"), Some(1.0));

    let refused = place.reload(&config("limits: {max_in_flight: none}\n", &["id: 'x'"])).await.unwrap_err();
    assert!(refused.0.contains("max_in_flight") && refused.0.lines().count() >= 2, "{refused}");
    let refused = place.reload(&config("store: {path: elsewhere.db}\n", &[&one])).await.unwrap_err();
    assert!(refused.0.contains("`store.path` cannot change while regwatch runs"), "{refused}");
    let hook = "events: {webhooks: [{name: ops, url_file: /nowhere/url}]}\n";
    let refused = place.reload(&config(hook, &[&one, &account(2)])).await.unwrap_err();
    assert!(refused.0.contains("webhook `ops`") && refused.0.contains("/nowhere/url"), "{refused}");
    std::fs::remove_file(place.folder.path().join("config.yaml")).expect("it is there");
    let refused = place.trigger.pull().await.unwrap_err();
    assert!(refused.0.contains("config.yaml: No such file"), "{refused}");

    let page = place.watch.scrape().await;
    assert_eq!(page.value("regwatch_config_last_reload_successful"), Some(0.0));
    assert_eq!(page.value(at), Some(loaded_at));
    assert_eq!(page.count("regwatch_target_up"), 1);
    assert_eq!(page.count("regwatch_events_pending"), 1, "the log alone");
    place.adopt(&config("", &[&one])).await;
    let page = place.watch.scrape().await;
    assert_eq!(page.value("regwatch_config_last_reload_successful"), Some(1.0));
    assert!(page.value(at) > Some(loaded_at));
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_there_is_nothing_to_read() {
    let aws = members(1).await;
    let (parsed, _) = Config::parse("test.yaml", &config("", &[&account(1)])).expect("it is right");
    let (watch, trigger, _) = Watch::of_config(parsed, None, aws.overrides()).await;
    let refused = trigger.pull().await.unwrap_err();
    assert!(refused.0.contains("without a configuration file"), "{refused}");
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_in_backoff_stays_in_backoff() {
    let aws = members(1).await;
    let throttle = Fault::Throttle { retry_after: Some(3600) };
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, throttle);
    let one = account(1);
    let place = Place::start(&aws, &config("", &[&one])).await;
    let until = "regwatch_scope_backoff_until_timestamp_seconds{service=\"iotfleetwise\"}";
    let page = place.watch.until("it is throttled", |page| page.sum(until) > 0.0).await;
    let closed_until = page.value(until);
    for turn in 0..3 {
        let limits = format!("limits: {{fleetwise_requests_per_second: {}}}\n", 5 + turn);
        place.adopt(&config(&limits, &[&format!("{one}, name: turn-{turn}")])).await;
    }
    let page = place.watch.scrape().await;
    assert_eq!(page.value(until), closed_until, "{}", page.0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(asked(&aws, 1), 1, "it was asked nevertheless");
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_is_assumed_anew_and_only_that() {
    let world = (1..=2).fold(World::new().management(hub()), |world, number| {
        world.member(member(number).role("other", None))
    });
    let aws = Aws::start(world).await;
    let (one, two) = (account(1), account(2));
    let place = Place::start(&aws, &config("", &[&one, &two])).await;
    place.until_all_are_up(2).await;
    let other = "  other: {from: hub, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/other'}}\n";
    let with_other =
        |accounts: &[&str]| config("", accounts).replace("accounts:", &format!("{other}accounts:"));

    // The first takes another identity.
    place.adopt(&with_other(&[&one.replace("member", "other"), &two])).await;
    place.watch.until("it signs in anew", |_| assumed(&aws, 1) == 2).await;
    place.until_all_are_up(2).await;
    assert_eq!(assumed(&aws, 2), 1);

    // The identity of both becomes another.
    place.adopt(&in_another_role(&config("", &[&one, &two]))).await;
    place.watch.until("both sign in anew", |_| assumed(&aws, 1) == 3 && assumed(&aws, 2) == 2).await;
    let page = place.until_all_are_up(2).await;
    assert_eq!(page.sum(r#"regwatch_poll_failures_total{reason="credentials"}"#), 0.0, "{}", page.0);
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_the_role_before_is_worth_nothing() {
    let aws = Aws::start(World::new().management(hub()).member(member(1).role("other", None))).await;
    // Longer than a reload takes, shorter than the patience for an answer.
    aws.control.set_fault(id(1), Operation::AssumeRole, Fault::Delay(Duration::from_secs(5)));
    let one = account(1);
    let place = Place::start(&aws, &config("", &[&one])).await;
    place.watch.until("it signs in", |_| assumed(&aws, 1) == 1).await;
    aws.control.clear_fault(id(1), Operation::AssumeRole);
    place.adopt(&in_another_role(&config("", &[&one]))).await;
    let page = place.until_all_are_up(1).await;
    assert_eq!(assumed(&aws, 1), 2);
    assert_eq!(page.value("regwatch_credentials_refreshes_total"), Some(2.0), "one was never answered");
    assert_eq!(page.sum("regwatch_poll_failures_total"), 0.0, "{}", page.0);
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_change_and_go() {
    let aws = members(1).await;
    let (first, second) = (Receiver::start([]).await, Receiver::start([]).await);
    let one = account(1);
    let hook = |url: &str| format!("events: {{webhooks: [{{name: ops, url: '{url}'}}]}}\n");
    let region = Region::new("us-east-1");
    let become_one = |status| {
        let registration = Registration::new(status);
        aws.control.set_registration(id(1), &region, Some(registration));
    };
    use RegistrationStatus::{Failure, Pending, Success};
    let place = Place::start(&aws, &config("", &[&one])).await;
    place.until_all_are_up(1).await;
    place.adopt(&config(&hook(&first.url), &[&one])).await;
    become_one(Pending);
    let told = first.until(3).await;
    assert!(told.iter().all(|request| request.body.contains("REGISTRATION_PENDING")), "{told:#?}");

    place.adopt(&config(&hook(&second.url), &[&one])).await;
    become_one(Failure);
    let told = second.until(3).await;
    assert!(told.iter().all(|request| request.body.contains("REGISTRATION_FAILURE")), "{told:#?}");
    assert_eq!(first.requests().len(), 3);
    let delivered = r#"regwatch_events_delivered_total{sink="ops"}"#;
    place.watch.until("it counts on", |page| page.value(delivered) == Some(6.0)).await;

    place.adopt(&config("", &[&one])).await;
    let page = place.watch.scrape().await;
    assert_eq!(page.count("regwatch_events_delivered_total"), 1, "{}", page.0);
    become_one(Success);
    let seen = |page: &Page| page.sum(r#"regwatch_transitions_total{to="REGISTRATION_SUCCESS"}"#) == 3.0;
    place.watch.until("it is seen", seen).await;
    place.watch.until("it is in the store", |page| page.sum("regwatch_store_pending_events") == 0.0).await;
    assert_eq!(second.requests().len(), 3);

    // It goes on where it was.
    place.adopt(&config(&hook(&second.url), &[&one])).await;
    let told = second.until(6).await;
    assert!(told.iter().skip(3).any(|request| request.body.contains("REGISTRATION_SUCCESS")), "{told:#?}");
    place.watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_anew() {
    let aws = members(1).await;
    let receiver = Receiver::start([]).await;
    let one = account(1);
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().join("url");
    std::fs::write(&url, "http://127.0.0.1:9/nobody").expect("written");
    let yaml =
        config(&format!("events: {{webhooks: [{{name: ops, url_file: '{}'}}]}}\n", url.display()), &[&one]);
    let place = Place::start(&aws, &yaml).await;
    place.until_all_are_up(1).await;
    let region = Region::new("us-east-1");
    let pending = Registration::new(RegistrationStatus::Pending);
    aws.control.set_registration(id(1), &region, Some(pending));
    let failed = r#"regwatch_event_delivery_failures_total{sink="ops"}"#;
    place.watch.until("nobody is there", |page| page.sum(failed) > 0.0).await;
    std::fs::write(&url, &receiver.url).expect("written");
    place.adopt(&yaml).await;
    receiver.until(3).await;
    place.watch.end().await;
}
