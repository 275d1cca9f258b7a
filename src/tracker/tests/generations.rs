//! Going over to another generation.

use std::collections::HashSet;

use super::ledger::Fate;
use super::*;
use crate::model::Succession;
use crate::store::{SavedState, TargetKey};

impl Stage {
    /// Lets another fleet take over, with what the store keeps of what is new in it, as the daemon does.
    pub(super) async fn adopt(&self, second: i64, fleet: Fleet, ledger: &ScriptedLedger) {
        let before = Arc::clone(&self.look.borrow().fleet);
        let succession = Succession::between(&before, &fleet, &HashSet::new());
        let is_new = |key: &TargetKey| {
            succession.new_targets().iter().any(|&id| TargetKey::from(fleet.target(id)) == *key)
        };
        let kept: Vec<(TargetKey, SavedState)> =
            ledger.kept().states.into_iter().filter(|(key, _)| is_new(key)).collect();
        self.adopt_with(second, fleet, succession, kept, Vec::new()).await;
    }

    pub(super) async fn adopt_with(
        &self,
        second: i64,
        fleet: Fleet,
        succession: Succession,
        kept: Vec<(TargetKey, SavedState)>,
        ended: Vec<TargetId>,
    ) {
        let generation = self.look.borrow().fleet.generation.next();
        let (done, heard) = tokio::sync::oneshot::channel();
        let fleet = Arc::new(Fleet { generation, ..fleet });
        let adoption = Adoption {
            fleet,
            succession: Arc::new(succession),
            ended,
            kept,
            now: at(second),
            done,
            written: tokio::sync::oneshot::channel().0,
        };
        self.adoptions.send(adoption).await.unwrap();
        heard.await.unwrap();
    }
}

/// The fleet with its targets in another order, or some of them alone.
pub(super) fn only(places: &[usize]) -> Fleet {
    let Fleet { targets, mut scopes, .. } = fleet();
    let targets: Vec<_> = places.iter().map(|&place| targets[place].clone()).collect();
    scopes[0].targets = (0..).map(TargetId).take(targets.len()).collect();
    Fleet { targets, scopes, ..Fleet::default() }
}

fn of(generation: u64, report: Report) -> Report {
    let Report::Polled { poll, scope, pacing, .. } = report else { panic!("{report:?}") };
    Report::Polled { generation: Generation(generation), poll, scope, pacing }
}

#[tokio::test(start_paused = true)]
async fn a_report_of_the_generation_before_is_about_whom_it_was_about() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let mut stage = Stage::with(&ledger);
    stage.adopt(0, only(&[1, 0]), &ledger).await;
    stage.send(of(0, polled(0, Ok(Status::Active)))).await;
    stage.send(of(1, polled(0, Ok(Status::Closed)))).await;
    stage.look.borrow_and_update();
    let (snapshot, _) = stage.next().await;
    let statuses: Vec<_> = snapshot.targets.iter().map(|state| state.resources[0].reading.status).collect();
    assert_eq!(statuses, [Status::Closed, Status::Active]);
    let accounts: Vec<_> =
        snapshot.fleet.targets.iter().map(|target| target.account.id.to_string()).collect();
    assert_eq!(accounts, ["444455556666", "111122223333"]);
    let told: Vec<_> =
        ledger.kept().log.iter().map(|event| (event.account.id.to_string(), event.transition.to)).collect();
    assert_eq!(told, [(accounts[1].clone(), Status::Active), (accounts[0].clone(), Status::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_channel_is_taken_in_before_the_generation_ends_that_it_is_of() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.adopt(0, only(&[1, 0]), &ledger).await;
    // Sent by a poller that had not heard of the generation at hand.
    for _ in 0..2 * BATCH {
        stage.reports.try_send(of(0, polled(1, Ok(Status::Active)))).unwrap();
    }
    stage.adopt(0, only(&[0, 1]), &ledger).await;
    let snapshot = stage.look.borrow().clone();
    let polls: Vec<_> = snapshot.targets.iter().map(|state| state.polls).collect();
    assert_eq!(polls, [0, 2 * BATCH as u64]);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_leaves_at_once_and_what_is_late_about_it_is_dropped() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let mut stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    stage.send(polled(1, Ok(Status::Closed))).await;
    stage.next().await;
    stage.adopt(0, only(&[1]), &ledger).await;
    let shown = stage.look.borrow_and_update().clone();
    assert_eq!(shown.targets.len(), 1);
    assert_eq!(shown.targets[0].resources[0].reading.status, Status::Closed);
    assert!(shown.is_ready());
    let pacing = Pacing { allowed: 1.0, throttled: 7, ..Pacing::default() };
    let Report::Polled { poll, scope, .. } = polled(0, Ok(Status::Suspended)) else { panic!() };
    stage.send(Report::Polled { generation: Generation(0), poll, scope, pacing }).await;
    let (snapshot, _) = stage.next().await;
    assert_eq!(snapshot.scopes[0].pacing, pacing, "the scope has stayed");
    ledger.writes(1).await;
    stage.end().await;
    assert!(ledger.kept().log.iter().all(|event| event.transition.to != Status::Suspended));
}

#[tokio::test(start_paused = true)]
async fn what_is_new_is_watched_from_now_on_and_shows_what_was_kept() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let mut stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::PendingActivation))).await;
    stage.send(polled(1, Ok(Status::Active))).await;
    stage.next().await;
    ledger.writes(1).await;
    stage.adopt(0, only(&[0]), &ledger).await;
    stage.adopt(5000, only(&[0, 1]), &ledger).await;
    let shown = stage.look.borrow_and_update().clone();
    assert_eq!(shown.targets[1].resources[0].reading.status, Status::Active);
    assert_eq!(shown.targets[1].polls, 0);
    // Nothing is known of a third, and it is not stale for that.
    let mut three = only(&[0, 1, 1]);
    let third =
        Account { id: "777788889999".parse().unwrap(), name: "third".into(), labels: BTreeMap::new() };
    three.targets[2].account = Arc::new(third);
    stage.adopt(5000, three, &ledger).await;
    let shown = stage.look.borrow_and_update().clone();
    assert!(!shown.is_stale(TargetId(2), at(5899)) && shown.is_stale(TargetId(2), at(5900)));
    assert!(shown.is_ready(), "who was ready stays so");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_written_yet_of_what_has_gone_is_written_with_its_events() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Refused; 3]);
    let mut stage = Stage::with(&ledger);
    stage.send(polled_at(1, 0, Ok(Status::Active))).await;
    stage.send(polled_at(2, 0, Ok(Status::Suspended))).await;
    ledger.writes(1).await;
    stage.adopt(3, only(&[1]), &ledger).await;
    stage.send(of(1, polled_at(4, 0, Ok(Status::Closed)))).await;
    ledger.writes(4).await;
    let kept = ledger.kept();
    let [batch] = &kept.batches[..] else { panic!("what waited went together: {:?}", kept.batches) };
    assert_eq!((batch.states.len(), batch.events.len()), (2, 3));
    let gone = &kept.states[&TargetKey::from(&fleet().targets[0])];
    assert_eq!(gone.resources[0].reading.status, Status::Suspended);
    stage.next().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_before_it_was_written_goes_on_where_it_was() {
    // The second write hangs on while the target goes and comes, and then fails.
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0), Fate::RefusedAfter(5000)]);
    let stage = Stage::with(&ledger);
    stage.send(polled_at(1, 0, Ok(Status::PendingActivation))).await;
    ledger.writes(1).await;
    stage.send(polled_at(2, 0, Ok(Status::Active))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.adopt(3, only(&[1]), &ledger).await;
    stage.adopt(4, only(&[1, 0]), &ledger).await;
    let shown = stage.look.borrow().clone();
    assert_eq!(shown.targets[1].resources[0].reading.status, Status::Active, "and not what the store has");
    stage.send(of(2, polled_at(5, 1, Ok(Status::Closed)))).await;
    ledger.writes(3).await;
    stage.end().await;
    let steps: Vec<_> =
        ledger.kept().log.iter().map(|event| (event.transition.from, event.transition.to)).collect();
    let (pending, active) = (Status::PendingActivation, Status::Active);
    assert_eq!(steps, [(None, pending), (Some(pending), active), (Some(active), Status::Closed)]);
    let kept = ledger.kept();
    let state = &kept.states[&TargetKey::from(&fleet().targets[0])];
    assert_eq!(state.resources[0].reading.status, Status::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_goes_on_where_it_was_though_the_store_was_read_before_it_was_written() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Refused]);
    let stage = Stage::with(&ledger);
    stage.send(polled_at(1, 0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    stage.adopt(2, only(&[1]), &ledger).await;
    let read = Vec::from_iter(ledger.kept().states);
    assert_eq!(read, []);
    ledger.writes(2).await;
    // Until the tracker has heard of it, too.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let succession = Succession::between(&only(&[1]), &only(&[1, 0]), &HashSet::new());
    stage.adopt_with(3, only(&[1, 0]), succession, read, Vec::new()).await;
    assert_eq!(stage.look.borrow().targets[1].resources[0].reading.status, Status::Active);
    stage.send(of(2, polled_at(4, 1, Ok(Status::Active)))).await;
    stage.end().await;
    assert_eq!(ledger.kept().log.len(), 1, "nothing was told twice");
}

#[tokio::test(start_paused = true)]
async fn a_new_scope_of_a_known_caller_has_its_account_at_once() {
    let mut stage = Stage::set();
    let account = "777788889999".parse().unwrap();
    stage.send(Report::Caller { identity: "hub".into(), account }).await;
    stage.next().await;
    let mut wider = only(&[0, 1]);
    let europe = Scope { region: Region::new("eu-central-1"), targets: vec![], ..wider.scopes[0].clone() };
    let other = Scope { caller: Caller::Identity("other".into()), ..europe.clone() };
    wider.scopes.extend([europe, other]);
    let succession = Succession::between(&fleet(), &wider, &HashSet::new());
    stage.adopt_with(0, wider, succession, Vec::new(), Vec::new()).await;
    let callers: Vec<_> = stage.look.borrow().scopes.iter().map(|scope| scope.caller).collect();
    assert_eq!(callers, [Some(account), Some(account), None]);
}
