//! The database away for longer than a lease: the replica asks on for as long as it holds what it asks, keeps
//! what it shows true, then asks nothing, says so, and goes on by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use regwatch::model::Region;
use regwatch::sim::{GovCloudState, Registration, RegistrationStatus, World};
use reqwest::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::REGION;
use super::replica::Replica;
use crate::harness::{Aws, hub, id, identities, member};
use crate::page::Page;
use crate::postgres::server::Server;
use crate::receiver::Receiver;
use crate::reference::{listed, shown};

const MEMBERS: u64 = 3;

/// How often each target is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Long beside the interval and beside what a busy machine may stand still for: there is time to see that it
/// asks on.
const LEASE: Duration = Duration::from_secs(20);

/// The longest that a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(90);

/// The first member's registration, as it will be.
const FAILED: &str = r#"aws_fleetwise_registration_status{aws_account_id="000000000001",resource="account",status="REGISTRATION_FAILURE"}"#;

/// A replica before its database, and whoever looks at it.
struct Stage {
    aws: Aws,
    receiver: Receiver,
    replica: Replica,
    client: Client,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_is_said_and_nothing_is_asked_without_it_or_lost() {
    let server = Server::start("").await;
    let mut stage = Stage::set(&server).await;
    stage.is_ready().await;
    let all = |page: &Page| page.count("regwatch_target_up") == 2 * MEMBERS as usize;
    let page = stage.page("it watches all", |page| page.sum("regwatch_target_up") == 6.0 && all(page)).await;
    it_shows_what_the_reference_has(&page);
    assert_eq!(page.sum("regwatch_store_errors_total"), 0.0, "{}", page.0);

    stage.replica.proxy.stall();
    let stalled = Instant::now();
    let failed = Registration::new(RegistrationStatus::Failure);
    stage.aws.control.set_registration(id(1), &Region::new(REGION), Some(failed));
    stage.page("it asks on", |page| all(page) && page.value(FAILED) == Some(1.0)).await;
    println!("a change was seen {:?} after the database stood still", stalled.elapsed());

    let text = stage.is_not_ready().await;
    println!("not ready after {:?}: {}", stalled.elapsed(), text.trim_end());
    assert!(text.starts_with("regwatch is not ready: the store has not answered since 20"), "{text}");
    stage.says_that_it_asks_nothing().await;
    println!("said after {:?}", stalled.elapsed());
    let gone = |page: &Page| {
        page.value("regwatch_shards_held") == Some(0.0) && page.count("regwatch_target_up") == 0
    };
    let page = stage.page("it holds nothing", gone).await;
    assert!(page.sum(r#"regwatch_store_errors_total{reason="timeout"}"#) >= 3.0, "{}", page.0);
    assert!(page.sum("regwatch_lease_renewal_failures_total") >= 3.0, "{}", page.0);

    // What was on its way has arrived.
    sleep(2 * INTERVAL).await;
    let quiet_from = stage.aws.control.now();
    stage.aws.control.set_govcloud(id(2), Some(GovCloudState::Suspended));
    sleep(5 * INTERVAL).await;
    let asked = stage.aws.control.count(|call| call.at >= quiet_from);
    assert_eq!(asked, 0, "without the database it still asks");

    stage.replica.proxy.open();
    let opened = Instant::now();
    stage.is_ready().await;
    println!("ready again {:?} after the database was back", opened.elapsed());
    stage.page("it watches all again", |page| all(page) && page.value(FAILED) == Some(1.0)).await;
    println!("watched again {:?} after the database was back", opened.elapsed());
    stage.each_change_is_told_once().await;
    println!("both changes told {:?} after the database was back", opened.elapsed());
    let (status, overview) = stage.get("/").await;
    assert!(status == 200 && !overview.contains("The store has not answered"), "{overview}");
    stage.replica.recover().await;
}

impl Stage {
    async fn set(server: &Server) -> Self {
        let world = (1..=MEMBERS).fold(World::new().management(hub()), |world, n| world.member(member(n)));
        let aws = Aws::start(world).await;
        let receiver = Receiver::start([]).await;
        let config = |url_file: &str, _: &str| config(url_file, &receiver.url);
        let replica = Replica::start(0, &aws.url, server, config).await;
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { aws, receiver, replica, client }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.replica.url())).send().await;
        let answer = answer.expect("it answers, whatever the database does");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    async fn page(&self, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        Page::until(&self.client, self.replica.url(), described, is_so).await
    }

    async fn is_ready(&self) {
        self.readiness(200).await;
    }

    async fn is_not_ready(&self) -> String {
        self.readiness(503).await
    }

    /// Waits until `/-/ready` has this status, and tells its text.
    async fn readiness(&self, wanted: u16) -> String {
        let began = Instant::now();
        loop {
            let (status, text) = self.get("/-/ready").await;
            if status == wanted {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "never {wanted}: {text}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The first page and the API do, as what was last known stays.
    async fn says_that_it_asks_nothing(&self) {
        let (status, overview) = self.get("/").await;
        assert_eq!(status, 200, "{overview}");
        assert!(overview.contains("The store has not answered since <time"), "{overview}");
        assert!(overview.contains("shows what was last known"), "{overview}");
        let began = Instant::now();
        loop {
            let targets = self.targets().await;
            assert_eq!(targets.len(), 2 * MEMBERS as usize, "{targets:#?}");
            for target in &targets {
                assert!(target["store_away_since"].is_string(), "{target:#}");
                assert!(target["last_success"].is_string(), "{target:#}");
            }
            let statuses = targets.iter().map(|target| target["resources"][0]["status"].as_str());
            assert_eq!(statuses.filter(|status| *status == Some("REGISTRATION_FAILURE")).count(), 1);
            // Whoever shows it hears a moment later that nothing is held.
            if targets.iter().all(|target| target["held_by"].is_null()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "still held: {targets:#?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn targets(&self) -> Vec<Value> {
        let (status, targets) = self.get("/api/v1/targets").await;
        assert_eq!(status, 200, "{targets}");
        let mut targets: Value = serde_json::from_str(&targets).expect("JSON");
        serde_json::from_value(targets["items"].take()).expect("a list")
    }

    /// The receiver hears of what happened meanwhile, and the log has it once.
    async fn each_change_is_told_once(&self) {
        let registration = ["account", "iam", "timestream"];
        let expected = registration.map(|part| format!("{}/{part} REGISTRATION_FAILURE", id(1)));
        let suspended = format!("{}/govcloud_account SUSPENDED", id(2));
        let expected: Vec<_> = expected.into_iter().chain([suspended]).collect();
        let began = Instant::now();
        let told = loop {
            let mut told: BTreeMap<String, usize> = BTreeMap::new();
            for request in self.receiver.requests() {
                *told.entry(change(&request.json())).or_default() += 1;
            }
            if told.len() == expected.len() {
                break told;
            }
            assert!(began.elapsed() < PATIENCE, "only {told:?}");
            sleep(Duration::from_millis(50)).await;
        };
        println!("delivered: {told:?}");
        sleep(3 * INTERVAL).await;
        let (status, events) = self.get("/api/v1/events?kind=changed").await;
        assert_eq!(status, 200, "{events}");
        let events: Value = serde_json::from_str(&events).expect("JSON");
        let mut logged: Vec<_> = events["items"].as_array().expect("a list").iter().map(change).collect();
        logged.sort();
        assert_eq!(logged, expected);
    }
}

/// Of what and to what a change was.
fn change(event: &Value) -> String {
    let text = |key: &str| event["data"][key].as_str().unwrap_or_default();
    format!("{}/{} {}", text("account_id"), text("resource"), text("to"))
}

fn it_shows_what_the_reference_has(page: &Page) {
    let (shown, listed) = (shown(&page.0), listed());
    let other: Vec<_> = shown.iter().filter(|(name, shape)| listed.get(*name) != Some(shape)).collect();
    assert!(other.is_empty(), "metrics.md does not have: {other:#?}");
    let leases = ["regwatch_shard", "regwatch_lease"];
    let of_leases = |(name, _): &(&String, _)| leases.iter().any(|prefix| name.starts_with(prefix));
    assert_eq!(shown.iter().filter(of_leases).count(), listed.iter().filter(of_leases).count());
}

fn config(url_file: &str, receiver: &str) -> String {
    let mut yaml = format!(
        "polling: {{interval: {INTERVAL:?}, pending_interval: {INTERVAL:?}, failed_interval: {INTERVAL:?}, timeout: 900ms, start_window: 100ms, stale_after: 1h}}
store: {{postgres: {{url_file: '{url_file}', lease: {LEASE:?}}}}}
events:
  webhooks: [{{name: receiver, url: '{receiver}', on: {{kinds: [changed]}}}}]
{}accounts:\n",
        identities()
    );
    for number in 1..=MEMBERS {
        yaml += &format!(
            "  - {{id: '{}', labels: {{team: fleet}}, fleetwise: {{identity: member, regions: [{REGION}]}}, govcloud: {{identity: hub}}}}\n",
            id(number)
        );
    }
    yaml
}
