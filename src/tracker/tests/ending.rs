//! Targets that come to their end: each end is told once, and nothing is kept of what has ended.

use std::collections::HashSet;

use super::generations::only;
use super::ledger::Fate;
use super::*;
use crate::model::{Succession, TransitionKind};

/// The kinds of the events of the first target, in the order of the log.
fn kinds(ledger: &ScriptedLedger) -> Vec<&'static str> {
    let kept = ledger.kept();
    let log = kept.log.iter().filter(|event| event.account.id.to_string() == "111122223333");
    log.map(|event| event.transition.kind.as_str()).collect()
}

/// How many targets have a state that is kept.
fn kept(ledger: &ScriptedLedger) -> usize {
    ledger.kept().states.len()
}

impl Stage {
    /// The first target comes to its end; the second stays.
    async fn end_the_first(&self, second: i64) {
        let fleet = only(&[1]);
        let succession = Succession::between(&self.look.borrow().fleet, &fleet, &HashSet::new());
        self.adopt_with(second, fleet, succession, Vec::new(), vec![TargetId(0)]).await;
    }

    /// It is there again, and nothing is known of it.
    async fn bring_it_back(&self, second: i64) {
        let fleet = only(&[0, 1]);
        let succession = Succession::between(&self.look.borrow().fleet, &fleet, &HashSet::new());
        self.adopt_with(second, fleet, succession, Vec::new(), Vec::new()).await;
    }
}

fn of(generation: u64, second: i64, status: Status) -> Report {
    let Report::Polled { poll, scope, pacing, .. } = polled_at(second, 0, Ok(status)) else { unreachable!() };
    Report::Polled { generation: Generation(generation), poll, scope, pacing }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_an_event_that_is_written_with_the_end_of_the_state() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.send(polled_at(1, 0, Ok(Status::Suspended))).await;
    stage.send(polled_at(1, 1, Ok(Status::Active))).await;
    ledger.writes(1).await;
    stage.end_the_first(5).await;
    ledger.writes(2).await;
    assert_eq!((kinds(&ledger), kept(&ledger)), (vec!["first_seen", "ended"], 1));
    let batch = ledger.kept().batches.pop().unwrap();
    let [event] = &batch.events[..] else { panic!("{batch:?}") };
    let told = &event.transition;
    assert_eq!(
        (told.kind, told.from, told.to),
        (TransitionKind::Ended, Some(Status::Suspended), Status::Suspended)
    );
    assert_eq!((told.previous_since, told.observed_at), (Some(at(1)), at(5)));
    assert_eq!((batch.ended.len(), batch.states.len()), (1, 0));

    // Back again it is new.
    stage.bring_it_back(6).await;
    stage.send(of(2, 7, Status::Suspended)).await;
    ledger.writes(3).await;
    assert_eq!((kinds(&ledger), kept(&ledger)), (vec!["first_seen", "ended", "first_seen"], 2));
}

#[tokio::test(start_paused = true)]
async fn what_was_never_known_has_no_end() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Err(FailureReason::AccessDenied))).await;
    stage.end_the_first(5).await;
    stage.end().await;
    assert!(kinds(&ledger).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_once_whatever_becomes_of_its_write() {
    for fates in
        [vec![Fate::Refused, Fate::Refused], vec![Fate::WrittenUntold], vec![Fate::RefusedAfter(500)]]
    {
        let ledger =
            ScriptedLedger::new(Kept::default(), [Fate::Written(0)].into_iter().chain(fates.clone()));
        let stage = Stage::with(&ledger);
        stage.send(polled(0, Ok(Status::Active))).await;
        ledger.writes(1).await;
        stage.end_the_first(5).await;
        stage.end().await;
        assert_eq!((kinds(&ledger), kept(&ledger)), (vec!["first_seen", "ended"], 0), "{fates:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_the_write_makes_it_neither_none_nor_two() {
    for (fate, told) in [(Fate::Hangs, 0), (Fate::WrittenUntold, 1)] {
        let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0), fate]);
        let stage = Stage::with(&ledger);
        stage.send(polled(0, Ok(Status::Active))).await;
        ledger.writes(1).await;
        stage.end_the_first(5).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(stage);
        assert_eq!(kinds(&ledger).len(), 1 + told);
        // The roster says that it has left, as long as a state of it is kept.
        let stage = Stage::with(&ledger);
        stage.end_the_first(6).await;
        stage.end().await;
        assert_eq!((kinds(&ledger), kept(&ledger)), (vec!["first_seen", "ended"], 0), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn back_while_nothing_can_be_written_it_is_new_all_the_same() {
    let refused = std::iter::repeat_n(Fate::Refused, 20);
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0)].into_iter().chain(refused));
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    stage.send(polled_at(2, 0, Ok(Status::Suspended))).await;
    stage.end_the_first(5).await;
    ledger.writes(4).await;
    stage.bring_it_back(6).await;
    stage.send(of(2, 7, Status::Closed)).await;
    ledger.writes(22).await;
    assert_eq!(kinds(&ledger), ["first_seen", "changed", "ended", "first_seen"]);
    let states = ledger.kept().states;
    let statuses: Vec<_> = states.values().map(|state| state.resources[0].reading.status).collect();
    assert_eq!(statuses, [Status::Closed]);
}
