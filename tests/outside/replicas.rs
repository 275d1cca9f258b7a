//! Three replicas on one PostgreSQL, each behind a connection of its own to it, while all kinds of trouble
//! come over them: no change is lost, told twice or out of order, and nobody asks AWS about what another
//! holds.

mod away;
mod calls;
mod late;
mod replica;
mod rolling;
mod tenures;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::model::{Probe, Region, Shards};
use regwatch::sim::{Operation, Quota, Service, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::calls::{Calls, Happened};
use self::replica::{Fault, Replica};
use self::tenures::Tenures;
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::postgres::server::Server;
use crate::receiver::Receiver;
use crate::stall::Stalls;
use crate::truth::{Shown, Truth};
use crate::turmoil::keep_changing;

const REGION: &str = "us-east-1";
const MEMBERS: u64 = 500;
const FAULTS: usize = 64;

/// How often each target is asked.
const INTERVAL: Duration = Duration::from_secs(10);

/// Within what time a replica is replaced.
const LEASE: Duration = Duration::from_secs(5);

/// What the hub may ask for in a second; the cadence takes a sixth less.
const HUB_LIMIT: f64 = 60.0;

/// For how long a state lasts, in milliseconds: several polls and a hand-over.
const LASTS: Range<u64> = 60_000..120_000;

/// The pause between two faults, in milliseconds.
const PAUSES: Range<u64> = 300..2_500;

/// What is left to a machine that has other tests to serve.
const SHARED: Duration = Duration::from_secs(3);

/// The longest that all may take to be told once it is calm.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_them_nothing_is_lost_doubled_or_asked_twice() {
    let world = (1..=MEMBERS).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    let began = Clock::System.now() - aws.control.now();
    aws.control.set_quota(hub_id(), Service::Account, Quota { rate: 1000.0, burst: 1000.0 });
    let receiver = Receiver::start([]).await;
    let server = Server::start("max_connections = 40\n").await;
    let mut replicas = Vec::new();
    for number in 0..3 {
        let config = |url_file: &str, name: &str| config(url_file, name, &receiver.url, MEMBERS);
        replicas.push(Replica::start(number, &aws.url, &server, config).await);
        if number == 0 {
            Tenures::record(&server).await;
        }
    }

    let mut changing = JoinSet::new();
    changing.spawn(keep_changing(aws.control.clone(), MEMBERS, REGION, LASTS));
    let (stalls, mut looking) = (Stalls::default(), JoinSet::new());
    looking.spawn({
        let (stalls, control) = (stalls.clone(), aws.control.clone());
        async move { stalls.note(&control, async || ()).await }
    });
    let mut random = fastrand::Rng::new();
    let mut calls = Calls::default();
    let mut happened = Vec::new();
    for number in 0..FAULTS {
        let fault = Fault::ALL[number % Fault::ALL.len()];
        let victim = random.usize(..replicas.len());
        let from = aws.control.now();
        replicas[victim].suffer(fault, &server, LEASE, &mut random).await;
        let victim = replicas[victim].name().to_owned();
        happened.push(Happened { fault, victim, from, to: aws.control.now() });
        sleep(Duration::from_millis(random.u64(PAUSES))).await;
        calls.take(&aws.control);
    }
    changing.shutdown().await;
    for replica in &mut replicas {
        replica.recover().await;
    }

    let deadline = Instant::now() + PATIENCE;
    let verdict = loop {
        let truth = Truth { changes: aws.control.changes(), shown: Shown::default(), began };
        let verdict = truth.judge(&receiver.requests());
        calls.take(&aws.control);
        if verdict.unsettled == 0 {
            break verdict;
        }
        assert!(Instant::now() < deadline, "it never became calm: {verdict:#?}");
        sleep(Duration::from_millis(500)).await;
    };
    let tenures = Tenures::read(&server).await;
    let leases = leases(&config("url", "any", &receiver.url, MEMBERS));
    let judged = calls.judge(began, &tenures, &happened, &stalls, |account, operation| {
        leases[&(account.to_owned(), operation)].clone()
    });
    let fastest = calls.fastest(Operation::GetGovCloudAccountInformation);
    println!(
        "{FAULTS} faults over {MEMBERS} accounts; {} changes, {} events delivered, {} repeated, {} wrong, {} lost",
        aws.control.changes().len(),
        verdict.delivered,
        verdict.repeated,
        verdict.wrong.len(),
        verdict.lost.len(),
    );
    println!(
        "{} polls, {} by another than the one before; {} tenures of shards, {} polls outside of one, {} on their way when stopped; at most {fastest:.1} calls a second in the scope that allows {HUB_LIMIT}",
        judged.polls,
        judged.handovers,
        tenures.takes(),
        judged.unheld.len(),
        judged.woken,
    );
    println!("longest without a poll: {}", judged.longest);
    println!("the same with one fault at most: {}", judged.longest_of_one);
    if !verdict.wrong.is_empty() {
        let faults: Vec<_> = happened.iter().map(ToString::to_string).collect();
        println!("from {began} on: {}", faults.join(", "));
        for wrong in &verdict.wrong {
            let (account, _) = wrong.split_once('/').expect("an account and a resource");
            let operation = match wrong.contains("/govcloud/") {
                true => Operation::GetGovCloudAccountInformation,
                false => Operation::GetRegisterAccountStatus,
            };
            let lease = &leases[&(account.to_owned(), operation)];
            println!(
                "{wrong}\n{lease}: {}\nasked by {}",
                tenures.course(lease, began),
                calls.course(account, operation)
            );
        }
    }
    assert_eq!(verdict.wrong, [""; 0]);
    assert_eq!(verdict.lost, [""; 0]);
    assert_eq!(judged.unheld, [""; 0]);
    assert!(fastest <= HUB_LIMIT * 1.1, "{fastest}");
    assert!(judged.longest_of_one.length <= LEASE + INTERVAL + SHARED, "{}", judged.longest_of_one);
}

/// Which lease each target is under.
fn leases(yaml: &str) -> HashMap<(String, Operation), String> {
    let (config, _) = Config::parse("config.yaml", yaml).expect("the test's own");
    let fleet = config.fleet(&Region::new(REGION));
    let shards = Shards { count: 16, held: Default::default(), among: 1 };
    let lease = |target: &regwatch::model::Target| {
        let operation = match target.probe {
            Probe::FleetWise => Operation::GetRegisterAccountStatus,
            Probe::GovCloud => Operation::GetGovCloudAccountInformation,
        };
        let shard = shards.of(fleet.scope(target.scope));
        ((target.account.id.to_string(), operation), format!("shard/{shard}"))
    };
    fleet.targets.iter().map(lease).collect()
}

fn config(url_file: &str, name: &str, receiver: &str, members: u64) -> String {
    let mut yaml = format!(
        "polling: {{interval: {INTERVAL:?}, pending_interval: {INTERVAL:?}, failed_interval: {INTERVAL:?}, timeout: 1500ms, start_window: 1s, stale_after: 1m}}
limits: {{account_requests_per_second: {HUB_LIMIT}, sts_requests_per_second: 500}}
store: {{postgres: {{url_file: '{url_file}', lease: {LEASE:?}, replica: {name}}}}}
events:
  webhooks: [{{name: receiver, url: '{receiver}', on: {{kinds: [first_seen, changed, modified]}}}}]
{}accounts:\n",
        identities()
    );
    for number in 1..=members {
        yaml += &format!(
            "  - {{id: '{}', fleetwise: {{identity: member, regions: [{REGION}]}}, govcloud: {{identity: hub}}}}\n",
            id(number)
        );
    }
    yaml
}
