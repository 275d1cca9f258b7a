//! All three replicas are restarted one after the other, twice round, while states change, and a Prometheus with
//! the alerts as they are looks on: each target goes on being asked, each change is told once, and nobody is paged
//! but for the one account that needs somebody all the time.

mod asked;
mod paged;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::model::Region;
use regwatch::sim::{
    Control, GovCloudState, Operation, Quota, Registration, RegistrationStatus, Service, World,
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::asked::Asked;
use self::paged::Watched;
use super::REGION;
use super::replica::Replica;
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::postgres::server::Server;
use crate::receiver::Receiver;
use crate::truth::{Shown, Truth};

/// Accounts whose states change, and none of them so that somebody is needed. Of every fifth the registration is
/// watched, of the others the GovCloud account.
const MEMBERS: u64 = 500;

/// The one whose registration has failed from the start, and is watched.
const FAILED: u64 = MEMBERS + 1;

const TARGETS: usize = FAILED as usize;

const ROUNDS: usize = 2;

/// How often each target is asked. Nobody may wait for twice as long. Within one a target may be handed over twice,
/// to whoever takes over and then to the replica that is back. Each time takes a round of the leases, which is 3 s, and a
/// little more, so some seconds are left for a machine that stands still.
const INTERVAL: Duration = Duration::from_secs(15);

/// What a replica holds at least when all is dealt.
const SHARE: f64 = 5.0;

/// From one change to the next: each state lasts for 50 s.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest that a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(120);

/// Three replicas at work, and who looks on.
struct Stage {
    aws: Aws,
    receiver: Receiver,
    replicas: Vec<Replica>,
    /// How often each was started. Each start is another instance, as each pod of a Deployment is.
    starts: [usize; 3],
    client: Client,
    folder: TempDir,
    /// Ends after the replicas.
    _server: Server,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_leaves_no_gap_and_pages_nobody() {
    let world = (1..=FAILED).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    let began = Clock::System.now() - aws.control.now();
    let failed = Registration::new(RegistrationStatus::Failure);
    aws.control.set_registration(id(FAILED), &Region::new(REGION), Some(failed));
    let mut stage = Stage::set(aws).await;
    let watched = Watched::start(&stage.discovered(), id(FAILED), TARGETS).await;

    let control = stage.aws.control.clone();
    let mut asked = Asked::since(control.now());
    let mut changing = JoinSet::new();
    changing.spawn(keep_changing(control.clone()));
    let restarting = Instant::now();
    for round in 1..=ROUNDS {
        for number in 0..stage.replicas.len() {
            let restart = Instant::now();
            stage.restart(number).await;
            println!("round {round}: replica {number} is back after {:.1?}", restart.elapsed());
            asked.take(&control);
        }
    }
    println!("all restarted {ROUNDS} times within {:.1?}", restarting.elapsed());
    watched.until_each_target_is_shown_once().await;
    // Whatever was not asked any more has been waiting for longer than is allowed by then.
    sleep(2 * INTERVAL).await;
    // All have changed, or nobody could tell of whom something is missing.
    while control.changes().iter().map(|change| change.account).collect::<BTreeSet<_>>().len() < TARGETS {
        sleep(PAUSE).await;
    }
    changing.shutdown().await;
    stage.is_told_everything_once(began).await;

    asked.take(&control);
    println!(
        "{} polls of {} targets; the longest without one: {}",
        asked.polls,
        asked.targets(),
        asked.longest
    );
    assert_eq!(asked.targets(), TARGETS);
    assert!(asked.longest.length <= 2 * INTERVAL, "{}", asked.longest);
    watched.judge().await;
}

impl Stage {
    async fn set(aws: Aws) -> Self {
        aws.control.set_quota(hub_id(), Service::Account, Quota { rate: 1000.0, burst: 1000.0 });
        let receiver = Receiver::start([]).await;
        let server = Server::start("").await;
        let mut replicas = Vec::new();
        for number in 0..3 {
            let config = |url_file: &str, _: &str| config(url_file, &receiver.url);
            replicas.push(Replica::start(number, &aws.url, &server, config).await);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let client = Client::builder().no_proxy().build().expect("a client");
        let stage = Self { aws, receiver, replicas, starts: [1; 3], client, folder, _server: server };
        stage.discover(|_| true);
        stage
    }

    /// Where Prometheus finds who is to be scraped.
    fn discovered(&self) -> PathBuf {
        self.folder.path().join("replicas.json")
    }

    /// Tells Prometheus who there is.
    fn discover(&self, runs: impl Fn(usize) -> bool) {
        let groups = self.replicas.iter().enumerate().filter(|(number, _)| runs(*number));
        let groups = groups.map(|(number, replica)| {
            let target = replica.url().trim_start_matches("http://");
            json!({"targets": [target], "labels": {"instance": format!("regwatch-{number}-{}", self.starts[number])}})
        });
        // Renamed, so that it is never read half.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, Value::from_iter(groups).to_string()).expect("it can be written");
        fs::rename(&draft, self.discovered()).expect("it can be renamed");
    }

    /// Has a replica end in order, and waits until the one in its place is ready and has its share: for that a
    /// Deployment waits by `minReadySeconds`.
    async fn restart(&mut self, number: usize) {
        self.replicas[number].end().await;
        self.discover(|other| other != number);
        self.replicas[number].up().await;
        self.starts[number] += 1;
        self.discover(|_| true);
        let began = Instant::now();
        while !self.is_ready(number).await {
            assert!(began.elapsed() < PATIENCE, "replica {number} is not ready");
            sleep(Duration::from_millis(50)).await;
        }
        let has_share = |page: &Page| page.sum("regwatch_shards_held") >= SHARE;
        Page::until(&self.client, self.replicas[number].url(), "it has its share", has_share).await;
    }

    async fn is_ready(&self, number: usize) -> bool {
        let answer = self.client.get(format!("{}/-/ready", self.replicas[number].url())).send().await;
        answer.expect("it listens").status().is_success()
    }

    async fn is_told_everything_once(&self, began: jiff::Timestamp) {
        let deadline = Instant::now() + PATIENCE;
        let verdict = loop {
            let truth = Truth { changes: self.aws.control.changes(), shown: Shown::default(), began };
            let verdict = truth.judge(&self.receiver.requests());
            if verdict.unsettled == 0 {
                break verdict;
            }
            assert!(Instant::now() < deadline, "it never became calm: {verdict:#?}");
            sleep(Duration::from_millis(500)).await;
        };
        let changes = self.aws.control.changes().len();
        println!("{changes} changes, {} events delivered, {} repeated", verdict.delivered, verdict.repeated);
        assert_eq!(verdict.wrong, [""; 0]);
        assert_eq!(verdict.lost, [""; 0]);
    }
}

/// Lets AWS be at work on a registration or a GovCloud account, one member after the other, and be done with it
/// the next time round: nobody is needed for that.
async fn keep_changing(control: Control) {
    for is_pending in [true, false].into_iter().cycle() {
        let (registration, govcloud) = match is_pending {
            true => (RegistrationStatus::Pending, GovCloudState::PendingActivation),
            false => (RegistrationStatus::Success, GovCloudState::Active),
        };
        for number in 1..=MEMBERS {
            match is_registered(number) {
                true => {
                    let registration = Some(Registration::new(registration));
                    control.set_registration(id(number), &Region::new(REGION), registration);
                }
                false => control.set_govcloud(id(number), Some(govcloud)),
            }
            sleep(PAUSE).await;
        }
    }
}

/// Whether it is the registration that is watched.
fn is_registered(number: u64) -> bool {
    number % 5 == 1
}

/// What is asked about a target.
const POLLS: [Operation; 2] = [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation];

fn config(url_file: &str, receiver: &str) -> String {
    let mut yaml = format!(
        "polling: {{interval: {INTERVAL:?}, pending_interval: {INTERVAL:?}, failed_interval: {INTERVAL:?}, timeout: 4s, start_window: 3s, stale_after: 1m}}
limits: {{account_requests_per_second: 500, sts_requests_per_second: 500}}
store: {{postgres: {{url_file: '{url_file}'}}}}
events:
  webhooks: [{{name: receiver, url: '{receiver}', on: {{kinds: [first_seen, changed, modified]}}}}]
{}accounts:\n",
        identities()
    );
    for number in 1..=FAILED {
        let watched = match is_registered(number) {
            true => "fleetwise: {identity: member, regions: [us-east-1]}",
            false => "govcloud: {identity: hub}",
        };
        yaml += &format!("  - {{id: '{}', {watched}}}\n", id(number));
    }
    yaml
}
