//! Three replicas on one PostgreSQL, each behind a connection of its own to it, while all kinds of trouble
//! come over them: no change is lost, told twice or out of order, and nobody asks AWS about what another
//! holds.

mod calls;
mod replica;

use std::ops::Range;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::sim::{Quota, Service, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::calls::Calls;
use self::replica::{Fault, Replica};
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::postgres::server::Server;
use crate::receiver::Receiver;
use crate::truth::{Shown, Truth};
use crate::turmoil::keep_changing;

const REGION: &str = "us-east-1";
const MEMBERS: u64 = 250;
const FAULTS: usize = 60;

/// How often each target is asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long a replica holds what it has not renewed.
const LEASE: Duration = Duration::from_secs(6);

/// For how long a state lasts, in milliseconds: several polls and a hand-over.
const LASTS: Range<u64> = 20_000..40_000;

/// The pause between two faults, in milliseconds.
const PAUSES: Range<u64> = 500..4_000;

/// The longest that all may take to be told once it is calm.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_them_nothing_is_lost_doubled_or_asked_twice() {
    let world = (1..=MEMBERS).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    let began = Clock::System.now();
    aws.control.set_quota(hub_id(), Service::Account, Quota { rate: 1000.0, burst: 1000.0 });
    let receiver = Receiver::start([]).await;
    let server = Server::start("").await;
    let mut replicas = Vec::new();
    for number in 0..3 {
        replicas.push(
            Replica::start(number, &aws.url, &server, |url_file| config(url_file, &receiver.url)).await,
        );
    }

    let mut changing = JoinSet::new();
    changing.spawn(keep_changing(aws.control.clone(), MEMBERS, REGION, LASTS));
    let mut random = fastrand::Rng::new();
    let mut calls = Calls::default();
    for number in 0..FAULTS {
        let fault = Fault::ALL[number % Fault::ALL.len()];
        let victim = random.usize(..replicas.len());
        replicas[victim].suffer(fault, &server, LEASE, &mut random).await;
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
    let judged = calls.judge(LEASE, INTERVAL);
    println!(
        "{FAULTS} faults, {} changes, {} events delivered, {} repeated, {} wrong; {judged:?}",
        aws.control.changes().len(),
        verdict.delivered,
        verdict.repeated,
        verdict.wrong.len(),
    );
    assert_eq!(verdict.wrong, [""; 0]);
    assert_eq!(verdict.lost, [""; 0]);
    assert_eq!(judged.doubled, [""; 0]);
}

fn config(url_file: &str, receiver: &str) -> String {
    let mut yaml = format!(
        "polling: {{interval: {INTERVAL:?}, pending_interval: {INTERVAL:?}, failed_interval: {INTERVAL:?}, timeout: 1500ms, start_window: 1s, stale_after: 1m}}
limits: {{account_requests_per_second: 500, sts_requests_per_second: 500}}
store: {{postgres: {{url_file: '{url_file}', lease: {LEASE:?}}}}}
events:
  webhooks: [{{name: receiver, url: '{receiver}', on: {{kinds: [first_seen, changed, modified]}}}}]
{}accounts:\n",
        identities()
    );
    for number in 1..=MEMBERS {
        yaml += &format!(
            "  - {{id: '{}', fleetwise: {{identity: member, regions: [{REGION}]}}, govcloud: {{identity: hub}}}}\n",
            id(number)
        );
    }
    yaml
}
