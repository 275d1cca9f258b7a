//! The loop on a scripted directory, under a paused clock.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use super::*;
use crate::aws::{List, ListedAccount, Page, Standing};
use crate::config::Config;
use crate::model::{Fleet, Region, Succession};
use crate::poller::Inheritance;

type Reply = Result<Listed, Failure>;

/// Answers by a script, and with one account once that is over; keeps when it was asked.
#[derive(Clone, Debug, Default)]
struct Scripted {
    script: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Directory for Scripted {
    async fn list(&self, _: Arc<str>, _: List, _: Option<String>) -> Reply {
        self.asked.lock().unwrap().push(Instant::now());
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.script.lock().unwrap().pop_front().unwrap_or_else(|| Ok(one(None)))
    }
}

/// A page with one account.
fn one(next: Option<&str>) -> Listed {
    let account = ListedAccount {
        id: "111122223333".parse().unwrap(),
        name: "one".into(),
        standing: Standing::Active,
        organization: None,
    };
    Listed::Accounts(Page { items: vec![account], next: next.map(str::to_owned) })
}

fn failure(reason: FailureReason) -> Reply {
    Err(Failure::new(reason, "no"))
}

fn orders(config: &Config, before: Option<&Orders>) -> Orders {
    let generation = before.map_or_else(Default::default, |before| before.assignment.fleet.generation.next());
    let fleet = Arc::new(Fleet { generation, ..config.fleet(&Region::new("us-east-1")) });
    let succession = before.map_or_else(Succession::default, |before| {
        Succession::between(&before.assignment.fleet, &fleet, &HashSet::new())
    });
    let assignment = Assignment {
        fleet,
        succession: Arc::new(succession),
        redefined: Arc::default(),
        organizations: config.organizations.clone(),
        start_window: Duration::ZERO,
        inheritance: Inheritance::default(),
        held: mpsc::channel(1).0,
    };
    Orders { assignment: Arc::new(assignment), is_settled: true }
}

fn config(organizations: &str) -> Config {
    let yaml = format!("{{identities: {{hub: {{}}}}, organizations: [{organizations}]}}");
    Config::parse("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}")).0
}

fn organization(more: &str) -> String {
    format!("{{identity: hub, govcloud: {{identity: hub}}{more}}}")
}

struct Stage {
    directory: Scripted,
    orders: watch::Sender<Orders>,
    outcomes: mpsc::Receiver<Outcome>,
    reports: mpsc::Receiver<Report>,
    liveness: Arc<Liveness>,
    task: tokio::task::JoinSet<Finish>,
}

impl Stage {
    fn set(config: &Config, script: impl IntoIterator<Item = Reply>) -> Self {
        let directory = Scripted::default();
        directory.script.lock().unwrap().extend(script);
        let (to, outcomes) = mpsc::channel(1);
        let (to_tracker, reports) = mpsc::channel(1 << 12);
        let liveness = Arc::new(Liveness::new());
        let around = Arc::new(Surroundings {
            directory: directory.clone(),
            outcomes: to,
            reports: to_tracker,
            liveness: Arc::clone(&liveness),
            clock: Clock::starting_at("2026-11-21T12:00:00Z".parse().unwrap()),
            anchor: Instant::now(),
            held: None,
        });
        let orders = watch::Sender::new(orders(config, None));
        let mut task = tokio::task::JoinSet::new();
        let scope = orders.borrow().assignment.fleet.organizations[0].scope;
        task.spawn(Discoverer::new(around, orders.subscribe(), scope, 7).run());
        Self { directory, orders, outcomes, reports, liveness, task }
    }

    fn adopt(&self, config: &Config) {
        let next = orders(config, Some(&self.orders.borrow()));
        self.orders.send_replace(next);
    }

    async fn outcome(&mut self) -> Outcome {
        self.outcomes.recv().await.unwrap()
    }

    fn asked(&self) -> Vec<Instant> {
        self.directory.asked.lock().unwrap().clone()
    }

    async fn ends(mut self) -> Finish {
        self.task.join_next().await.unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn it_lists_at_once_and_then_at_its_place_in_each_interval() {
    let mut stage = Stage::set(&config(&organization(", refresh: 1h")), [Ok(one(Some("2")))]);
    let began = Instant::now();
    let first = stage.outcome().await;
    assert_eq!(first.listing.unwrap().accounts.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut ends = Vec::new();
    for _ in 0..3 {
        stage.outcome().await.listing.unwrap();
        ends.push(Instant::now());
    }
    let hour = Duration::from_hours(1);
    assert!(ends[0] - began <= hour + Duration::from_secs(1), "{:?}", ends[0] - began);
    // The calls take the same time each.
    assert_eq!((ends[1] - ends[0], ends[2] - ends[1]), (hour, hour));
    // Two pages at first, and at the configured pace.
    let asked = stage.asked();
    assert_eq!(asked.len(), 5);
    assert!(asked[1] - asked[0] >= Duration::from_millis(500), "{:?}", asked[1] - asked[0]);
    assert_eq!(stage.liveness.check(Instant::now()), Ok(()));
    let last = stage.orders.borrow().clone();
    stage.orders = watch::Sender::new(last);
    assert!(matches!(stage.ends().await, Finish::Stopped(Loop::Discovery { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_succeed_yet_is_made_again_and_the_page_is_not_lost() {
    use FailureReason::{ServerError, Throttled, Timeout};
    let script =
        [Ok(one(Some("2"))), failure(Throttled), failure(ServerError), failure(Timeout), Ok(one(None))];
    let mut stage = Stage::set(&config(&organization("")), script);
    assert_eq!(stage.outcome().await.listing.unwrap().accounts.len(), 1);
    assert_eq!(stage.asked().len(), 5);
    let mut throttled = 0;
    while let Ok(Report::Paced { pacing, .. }) = stage.reports.try_recv() {
        throttled = pacing.throttled;
    }
    assert_eq!(throttled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_is_begun_anew_less_and_less_soon() {
    let mut stage = Stage::set(&config(&organization("")), []);
    stage.outcome().await.listing.unwrap();
    let denied = || failure(FailureReason::AccessDenied);
    stage.directory.script.lock().unwrap().extend((0..8).map(|_| denied()));
    let mut ends = Vec::new();
    for _ in 0..8 {
        let failed = stage.outcome().await.listing.unwrap_err();
        assert_eq!(failed.reason, FailureReason::AccessDenied);
        ends.push(Instant::now());
    }
    let gaps: Vec<_> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] >= Duration::from_secs(12), "{gaps:?}");
    let (_, most) = LISTING_RETRY;
    assert!(gaps.iter().all(|gap| *gap <= most + Duration::from_secs(1)), "{gaps:?}");
    assert!(gaps[..3].is_sorted(), "{gaps:?}");
    stage.outcome().await.listing.unwrap();
}

#[tokio::test(start_paused = true)]
async fn throttled_for_ever_is_a_failure_and_calls_as_seldom_as_the_gate_says() {
    let script = (0..TRIES).map(|_| failure(FailureReason::Throttled));
    let mut stage = Stage::set(&config(&organization("")), script);
    let failed = stage.outcome().await.listing.unwrap_err();
    assert_eq!(failed.reason, FailureReason::Throttled);
    let asked = stage.asked();
    let gaps: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted() && gaps.len() == TRIES as usize - 1, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_moves_only_what_is_listed_otherwise() {
    let first = config(&organization(""));
    let mut stage = Stage::set(&first, []);
    stage.outcome().await.listing.unwrap();
    // The same; other labels; and another organization besides.
    stage.adopt(&first);
    stage.adopt(&config(&organization(", labels: {team: a}")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.asked().len(), 1);
    let both = format!("{}, {}", organization(""), organization(", name: other"));
    stage.adopt(&config(&both));
    assert_eq!(&*stage.outcome().await.organization.name, "other");
    // Another choice is a listing of its own.
    stage.adopt(&config(&organization(", include: [{name: 'o*'}]")));
    let outcome = stage.outcome().await;
    assert_eq!((&*outcome.organization.name, outcome.organization.include.len()), ("hub", 1));
    assert_eq!(stage.asked().len(), 3);
    stage.adopt(
        &Config::parse(
            "t",
            "{identities: {hub: {}}, accounts: [{id: '111122223333', govcloud: {identity: hub}}]}",
        )
        .unwrap()
        .0,
    );
    assert_eq!(stage.ends().await, Finish::Dissolved);
}

#[tokio::test(start_paused = true)]
async fn a_reload_in_the_middle_of_a_listing_goes_on_with_it_or_drops_it() {
    let first = config(&organization(""));
    let mut stage = Stage::set(&first, [Ok(one(Some("2"))), Ok(one(Some("3"))), Ok(one(None))]);
    tokio::time::sleep(Duration::from_millis(520)).await;
    assert_eq!(stage.asked().len(), 2, "the second call is under way");
    stage.adopt(&first);
    stage.outcome().await.listing.unwrap();
    assert_eq!(stage.asked().len(), 3, "it was not begun anew");

    let mut stage = Stage::set(&first, [Ok(one(Some("2")))]);
    tokio::time::sleep(Duration::from_millis(520)).await;
    assert_eq!(stage.asked().len(), 2);
    stage.adopt(&config(&organization(", exclude: [{name: 'o*'}]")));
    assert_eq!(stage.outcome().await.listing.unwrap(), Listing::default());
    assert_eq!(stage.asked().len(), 3);
}
