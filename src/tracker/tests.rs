mod claims;
mod durable;
mod ending;
mod generations;
mod ledger;
mod throttles;

use std::collections::BTreeMap;

use jiff::Timestamp;

use self::ledger::{Kept, ScriptedLedger};
use super::*;
use crate::model::{
    Account, Details, Failure, Fleet, Generation, Polling, Probe, Reading, Resource, ResourceReading,
    Service, Status, TargetId,
};

/// Two targets behind one management identity.
fn fleet() -> Fleet {
    let polling = Arc::new(Polling {
        interval: Duration::from_secs(300),
        pending_interval: Duration::from_secs(15),
        failed_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(900),
    });
    let target = |id: &str| Target {
        account: Arc::new(Account { id: id.parse().unwrap(), name: id.into(), labels: BTreeMap::new() }),
        probe: Probe::GovCloud,
        region: None,
        identity: "hub".into(),
        scope: ScopeId(0),
        polling: Arc::clone(&polling),
    };
    Fleet {
        targets: vec![target("111122223333"), target("444455556666")],
        scopes: vec![Scope {
            service: Service::Account,
            caller: Caller::Identity("hub".into()),
            region: Region::new("us-east-1"),
            limit: 2.0,
            wanted: 0.1,
            targets: vec![TargetId(0), TargetId(1)],
        }],
        ..Fleet::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn polled(target: u32, outcome: Result<Status, FailureReason>) -> Report {
    polled_at(0, target, outcome)
}

fn polled_at(second: i64, target: u32, outcome: Result<Status, FailureReason>) -> Report {
    let reading = |status| Reading {
        resources: vec![ResourceReading::new(Resource::GovCloudAccount, status)],
        details: Details::None,
        created_at: None,
        modified_at: None,
    };
    let poll = Poll {
        target: TargetId(target),
        attempted_at: at(second),
        next_poll: at(second),
        lag: Duration::ZERO,
        duration: Duration::from_millis(20),
        outcome: outcome.map(reading).map_err(|reason| Failure::new(reason, "as scripted")),
    };
    let pacing = Pacing { allowed: 1.5, ..Pacing::default() };
    Report::Polled { generation: Generation(0), poll, scope: ScopeId(0), pacing }
}

struct Stage {
    reports: mpsc::Sender<Report>,
    adoptions: mpsc::Sender<Adoption>,
    look: watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<Metrics>,
    tasks: tokio::task::JoinSet<()>,
}

impl Stage {
    fn set() -> Self {
        Self::with(&ScriptedLedger::new(Kept::default(), []))
    }

    /// A daemon that begins with what a store has kept.
    fn with(ledger: &ScriptedLedger) -> Self {
        let mut snapshot = Snapshot::new(Arc::new(fleet()), Timestamp::UNIX_EPOCH);
        restore(&mut snapshot, ledger.kept().states);
        let (metrics, liveness) = (Arc::new(Metrics::new()), Arc::new(Liveness::new()));
        let (tracker, look) = Tracker::new(snapshot, ledger.clone(), Arc::clone(&metrics), &liveness);
        let (reports, received) = mpsc::channel(1024);
        let (adoptions, told) = mpsc::channel(1);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(tracker.run(received, told));
        Self { reports, adoptions, look, metrics, tasks }
    }

    async fn send(&self, report: Report) {
        self.reports.send(report).await.unwrap();
    }

    /// Ends it in order.
    async fn end(self) {
        let Self { reports, mut tasks, .. } = self;
        drop(reports);
        tasks.join_next().await.unwrap().unwrap();
    }

    fn page_says(&self, snapshot: &Arc<Snapshot>, line: &str) -> bool {
        let page = self.metrics.render(Arc::clone(snapshot), Timestamp::UNIX_EPOCH);
        page.lines().any(|said| said == line)
    }

    /// The next snapshot that is published, and after how long.
    async fn next(&mut self) -> (Arc<Snapshot>, Duration) {
        let began = Instant::now();
        self.look.changed().await.unwrap();
        (self.look.borrow_and_update().clone(), began.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_reported_together_is_published_together_and_soon() {
    let mut stage = Stage::set();
    assert!(!stage.look.borrow().is_ready());
    stage.send(polled(0, Ok(Status::Active))).await;
    stage.send(polled(1, Err(FailureReason::AccessDenied))).await;
    let (snapshot, waited) = stage.next().await;
    assert_eq!(waited, PUBLISH_AFTER);
    assert!(snapshot.is_ready());
    assert_eq!(snapshot.targets[0].resources[0].reading.status, Status::Active);
    assert_eq!(snapshot.targets[1].failures.of(FailureReason::AccessDenied), 1);
    assert!(!snapshot.targets[1].is_up());
    let quiet = tokio::time::timeout(Duration::from_secs(3600), stage.look.changed()).await;
    assert!(quiet.is_err(), "nothing was reported, so nothing is published");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_once_taken_does_not_change() {
    let mut stage = Stage::set();
    stage.send(polled(0, Ok(Status::Active))).await;
    let (before, _) = stage.next().await;
    stage.send(polled(0, Ok(Status::Suspended))).await;
    let (after, _) = stage.next().await;
    assert_eq!(before.targets[0].resources[0].reading.status, Status::Active);
    assert_eq!(after.targets[0].resources[0].reading.status, Status::Suspended);
    let suspended = after.targets[0].transitions.iter().find(|count| count.to == Status::Suspended);
    assert_eq!(suspended.map(|count| (count.from, count.count)), Some((Status::Active, 1)));
    assert!(Arc::ptr_eq(&before.targets[1], &after.targets[1]), "what is untouched is shared");
}

#[tokio::test(start_paused = true)]
async fn the_account_behind_an_identity_names_its_scopes() {
    let mut stage = Stage::set();
    let account = "777788889999".parse().unwrap();
    stage.send(Report::Caller { identity: "other".into(), account }).await;
    stage.send(Report::Caller { identity: "hub".into(), account }).await;
    let pacing = Pacing { allowed: 0.5, backoff_until: Some(Timestamp::UNIX_EPOCH), throttled: 3 };
    stage.send(Report::Paced { generation: Generation(0), scope: ScopeId(0), pacing }).await;
    stage.send(Report::Refreshed(Err(FailureReason::Throttled))).await;
    let (snapshot, _) = stage.next().await;
    assert_eq!(snapshot.scopes[0].caller, Some(account));
    assert_eq!(snapshot.scopes[0].pacing, pacing);
    let page = stage.metrics.render(snapshot, Timestamp::UNIX_EPOCH);
    assert!(page.contains(r#"regwatch_credentials_refresh_failures_total{reason="throttled"} 1"#), "{page}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_last_sender_has_gone_and_what_was_sent_is_shown() {
    let mut stage = Stage::set();
    stage.send(polled(0, Ok(Status::Closed))).await;
    drop(stage.reports);
    stage.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(stage.look.borrow().targets[0].resources[0].reading.status, Status::Closed);
}
