//! Killed again and again at random moments, it misses no change, tells none twice under two names,
//! invents none, and keeps their order.

use std::ops::Range;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::sim::{Quota, Service, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, Running, file, regwatch_as_hub};
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::receiver::Receiver;
use crate::truth::{Shown, Truth};
use crate::turmoil::keep_changing;

const REGION: &str = "us-east-1";
const MEMBERS: u64 = 40;
const KILLS: usize = 55;

/// How many states have to be shown at the least.
const SEEN: usize = 1000;

/// For how long a state lasts, in milliseconds: several polls and restarts.
const LASTS: Range<u64> = 6_000..10_000;

/// For how long the daemon lives once it serves, in milliseconds.
const LIVES: Range<u64> = 500..2_500;

/// How often it is looked what it shows, which is no more often anew.
const LOOK: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_again_and_again_misses_no_change() {
    let world = (1..=MEMBERS).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    let began = Clock::System.now();
    aws.control.set_quota(hub_id(), Service::Account, Quota { rate: 1000.0, burst: 1000.0 });
    let receiver = Receiver::start([]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(&config(&folder.path().join("regwatch.db"), &receiver.url));

    let mut changing = JoinSet::new();
    changing.spawn(keep_changing(aws.control.clone(), MEMBERS, REGION, LASTS));
    let mut random = fastrand::Rng::new();
    let mut shown = Shown::default();
    let mut kills = 0;
    let truth = |shown: &Shown| Truth { changes: aws.control.changes(), shown: shown.clone(), began };
    while kills < KILLS || truth(&shown).judge(&[]).visible < SEEN {
        assert!(kills < 5 * KILLS, "the machine stands still for too long to see anything");
        let mut running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
        let looking = async {
            loop {
                shown.take(&Page::of(&running.client, &running.url).await);
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = looking => unreachable!("it looks for ever"),
            () = sleep(Duration::from_millis(random.u64(LIVES))) => {}
        }
        running.child.kill().await.expect("it can be killed");
        kills += 1;
    }
    changing.shutdown().await;

    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    let truth = truth(&shown);
    let deadline = Instant::now() + PATIENCE;
    let verdict = loop {
        let verdict = truth.judge(&receiver.requests());
        if verdict.unsettled == 0 && running.pending().await == 0.0 {
            break verdict;
        }
        assert!(Instant::now() < deadline, "it never became calm: {verdict:#?}");
        sleep(Duration::from_millis(100)).await;
    };
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");

    println!(
        "{} kills, {} changes, {} states shown, {} events delivered, {} repeated, {} lost",
        kills,
        truth.changes.len(),
        verdict.visible,
        verdict.delivered,
        verdict.repeated,
        verdict.lost.len()
    );
    assert_eq!(verdict.lost, [""; 0]);
    assert_eq!(verdict.wrong, [""; 0]);
    assert!(verdict.visible >= SEEN, "only {} states were shown", verdict.visible);
}

fn config(store: &std::path::Path, url: &str) -> String {
    let mut yaml = format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms, stale_after: 1m}}
limits: {{account_requests_per_second: 500, sts_requests_per_second: 500}}
store: {{path: '{}'}}
events:
  webhooks: [{{name: receiver, url: '{url}', on: {{kinds: [first_seen, changed, modified]}}}}]
{}accounts:\n",
        store.display(),
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

impl Running {
    /// How many events the receiver has yet to get.
    async fn pending(&self) -> f64 {
        let page = Page::of(&self.client, &self.url).await;
        page.sum(r#"regwatch_events_pending{sink="receiver"}"#) + page.sum("regwatch_store_pending_events")
    }
}
