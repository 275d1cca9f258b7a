//! Killed again and again at random moments, it misses no change, tells none twice under two names,
//! invents none, and keeps their order.

mod truth;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::model::Region;
use regwatch::sim::{Control, GovCloudState, Quota, Registration, RegistrationStatus, Service, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::truth::{Shown, Truth};
use super::{PATIENCE, Running, file, regwatch_as_hub};
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::receiver::Receiver;

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
    changing.spawn(keep_changing(aws.control.clone()));
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

/// Makes something else of each registration and each GovCloud account now and then, for ever.
async fn keep_changing(control: Control) {
    let mut random = fastrand::Rng::new();
    // When, whose, what, and which of the states it is in now: at first the one that `member` gives it.
    let mut due: BTreeSet<(Duration, u64, usize, bool)> = BTreeSet::new();
    for number in 1..=MEMBERS {
        for govcloud in [false, true] {
            due.insert((Duration::from_millis(random.u64(..LASTS.end)), number, 0, govcloud));
        }
    }
    while let Some((at, number, state, govcloud)) = due.pop_first() {
        sleep(at.saturating_sub(control.now())).await;
        let count = if govcloud { GOVCLOUD.len() } else { registrations().len() };
        let state = (state + random.usize(1..count)) % count;
        if govcloud {
            control.set_govcloud(id(number), GOVCLOUD[state]);
        } else {
            let registration = registrations().swap_remove(state);
            control.set_registration(id(number), &Region::new(REGION), Some(registration));
        }
        let at = control.now() + Duration::from_millis(random.u64(LASTS));
        due.insert((at, number, state, govcloud));
    }
}

const GOVCLOUD: [Option<GovCloudState>; 5] = [
    Some(GovCloudState::Active),
    Some(GovCloudState::Suspended),
    Some(GovCloudState::Closed),
    Some(GovCloudState::PendingActivation),
    None,
];

fn registrations() -> Vec<Registration> {
    vec![
        Registration::new(RegistrationStatus::Success),
        Registration::new(RegistrationStatus::Pending),
        Registration::iam_failure("the role is gone"),
        Registration::timestream_failure("the table is gone"),
    ]
}
