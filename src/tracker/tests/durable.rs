//! Each order in which persisting, publishing, crashing and starting again can happen.

use proptest::prelude::*;

use super::ledger::{Fate, Kept, ScriptedLedger};
use super::outbox::{FLUSH, MANY};
use super::*;
use crate::model::TransitionKind;
use crate::store::{Silence, TargetKey};

/// From which state each event led where, in the order of the log.
fn steps(kept: &Kept) -> Vec<(Option<Status>, Status)> {
    kept.log.iter().map(|event| (event.transition.from, event.transition.to)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_state_and_its_event_are_written_together_and_at_once() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::PendingActivation))).await;
    ledger.writes(1).await;
    stage.send(polled(0, Ok(Status::Active))).await;
    ledger.writes(2).await;
    let kept = ledger.kept();
    for (batch, to) in kept.batches.iter().zip([Status::PendingActivation, Status::Active]) {
        let [(_, state)] = &batch.states[..] else { panic!("{batch:?}") };
        let [event] = &batch.events[..] else { panic!("{batch:?}") };
        assert_eq!((state.resources[0].reading.status, event.transition.to), (to, to));
    }
    assert_eq!(steps(&kept)[1], (Some(Status::PendingActivation), Status::Active));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_poll_writes_nothing_but_now_and_then_that_it_was() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    let began = Instant::now();
    for second in 1..=59 {
        stage.send(polled_at(second, 0, Ok(Status::Active))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(ledger.write_count(), 1);
    ledger.writes(2).await;
    assert!(began.elapsed() <= FLUSH + Duration::from_secs(1));
    let kept = ledger.kept();
    assert!(kept.batches[1].states.is_empty() && kept.batches[1].events.is_empty());
    let success = kept.states.values().map(|state| state.last_success).collect::<Vec<_>>();
    assert_eq!(success, [Some(Timestamp::from_second(59).unwrap())]);
    tokio::time::sleep(FLUSH * 3).await;
    assert_eq!(ledger.write_count(), 2, "nobody has answered since");
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_written_with_the_answer_that_ends_it() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0), Fate::Refused]);
    let stage = Stage::with(&ledger);
    stage.send(polled_at(0, 0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    for (second, outcome) in
        [(899, Ok(Status::Active)), (1000, Err(FailureReason::Timeout)), (1799, Ok(Status::Active))]
    {
        stage.send(polled_at(second, 0, outcome)).await;
    }
    stage.end().await;
    // Beyond a restart, too.
    let stage = Stage::with(&ledger);
    stage.send(polled_at(2000, 0, Err(FailureReason::Timeout))).await;
    stage.send(polled_at(2699, 0, Ok(Status::Active))).await;
    stage.end().await;
    let batches = ledger.kept().batches;
    let silences: Vec<_> = batches.iter().flat_map(|batch| &batch.silences).collect();
    let silent = |from, until| Silence {
        target: TargetKey::from(fleet().target(TargetId(0))),
        from: at(from),
        until: at(until),
    };
    assert_eq!(silences, [&silent(899, 1799), &silent(1799, 2699)]);
    for batch in batches.iter().filter(|batch| !batch.silences.is_empty()) {
        assert_eq!(batch.states[0].1.last_success, Some(batch.silences[0].until), "{batch:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_cannot_be_written_the_truth_is_shown_and_events_wait() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Refused; 6]);
    let mut stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::PendingActivation))).await;
    stage.send(polled(0, Ok(Status::Active))).await;
    let (snapshot, waited) = stage.next().await;
    assert_eq!(waited, PUBLISH_AFTER);
    assert_eq!(snapshot.targets[0].resources[0].reading.status, Status::Active);
    ledger.writes(3).await;
    stage.send(polled(0, Ok(Status::Suspended))).await;
    ledger.writes(6).await;
    let (snapshot, _) = stage.next().await;
    assert!(stage.page_says(&snapshot, "regwatch_store_pending_events 3"));
    assert!(ledger.kept().log.is_empty());

    ledger.writes(7).await;
    tokio::task::yield_now().await;
    assert!(stage.page_says(&snapshot, "regwatch_store_pending_events 0"));
    assert!(stage.page_says(&snapshot, "regwatch_store_write_failures_total 6"));
    let (pending, active) = (Status::PendingActivation, Status::Active);
    let all = [(None, pending), (Some(pending), active), (Some(active), Status::Suspended)];
    assert_eq!(steps(&ledger.kept()), all);
    assert_eq!(ledger.kept().batches.len(), 1, "what waited went together");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_nobody() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Hangs]);
    let mut stage = Stage::with(&ledger);
    for status in [Status::Active, Status::Suspended, Status::Closed] {
        stage.send(polled(0, Ok(status))).await;
        let (snapshot, waited) = stage.next().await;
        assert_eq!(waited, PUBLISH_AFTER);
        assert_eq!(snapshot.targets[0].resources[0].reading.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_succeeded_and_did_not_say_so_doubles_nothing() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::WrittenUntold, Fate::WrittenUntold]);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    stage.send(polled(0, Ok(Status::Suspended))).await;
    ledger.writes(3).await;
    assert_eq!(steps(&ledger.kept()), [(None, Status::Active), (Some(Status::Active), Status::Suspended)]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_knows_what_was_known_and_tells_one_step_for_what_it_missed() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0), Fate::Refused, Fate::Hangs]);
    let stage = Stage::with(&ledger);
    stage.send(polled_at(1, 0, Ok(Status::PendingActivation))).await;
    ledger.writes(1).await;
    stage.send(polled_at(2, 0, Ok(Status::Active))).await;
    ledger.writes(2).await;
    drop(stage);

    let ledger = ScriptedLedger::new(ledger.kept(), []);
    let mut stage = Stage::with(&ledger);
    let shown = stage.look.borrow().clone();
    let state = &shown.targets[0];
    assert_eq!(state.resources[0].reading.status, Status::PendingActivation);
    assert_eq!((state.last_success, state.resources[0].since), (Some(at(1)), at(1)));
    assert!(state.transitions.iter().any(|count| count.to == Status::Active && count.count == 0));
    assert!(!shown.is_ready(), "the other target of the scope is not known");

    stage.send(polled_at(9, 0, Ok(Status::Suspended))).await;
    let (snapshot, _) = stage.next().await;
    ledger.writes(1).await;
    assert!(snapshot.is_ready());
    let pending = Status::PendingActivation;
    let kept = ledger.kept();
    assert_eq!(steps(&kept), [(None, pending), (Some(pending), Status::Suspended)]);
    assert_eq!(kept.log[1].transition.previous_since, Some(at(1)));
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_ready_when_it_knows_all() {
    let ledger = ScriptedLedger::new(Kept::default(), []);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    stage.send(polled(1, Ok(Status::NotLinked))).await;
    ledger.writes(1).await;
    stage.end().await;
    let stage = Stage::with(&ledger);
    assert!(stage.look.borrow().is_ready());
    stage.send(polled(0, Ok(Status::Active))).await;
    stage.end().await;
    assert_eq!(ledger.kept().log.len(), 2, "what was known is not told again");
}

#[tokio::test(start_paused = true)]
async fn what_happened_last_is_written_before_the_end() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(3000), Fate::Refused]);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    stage.send(polled(0, Ok(Status::Closed))).await;
    stage.end().await;
    assert_eq!(steps(&ledger.kept()).last(), Some(&(Some(Status::Active), Status::Closed)));
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_only_so_long_for_the_store() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Refused; 1000]);
    let stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    let began = Instant::now();
    stage.end().await;
    assert_eq!(began.elapsed(), LAST_WRITES);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_very_long_is_bounded_and_ends_right() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Refused; 3]);
    let mut stage = Stage::with(&ledger);
    stage.send(polled(0, Ok(Status::Active))).await;
    ledger.writes(1).await;
    let (on, off) = (Status::Suspended, Status::Active);
    for turn in 0..2 * MANY {
        stage.send(polled(0, Ok(if turn % 2 == 0 { on } else { off }))).await;
    }
    stage.send(polled(0, Ok(Status::Closed))).await;
    stage.send(polled(1, Ok(Status::Closed))).await;
    let (snapshot, _) = stage.next().await;
    assert!(stage.page_says(&snapshot, &format!("regwatch_store_pending_events {}", MANY + 1)));
    ledger.writes(4).await;
    let kept = ledger.kept();
    assert_eq!(kept.log.len(), MANY + 1);
    let first = TargetKey::from(&fleet().targets[0]);
    let of_first: Vec<_> = kept.log.iter().filter(|event| event.account.id == first.account).collect();
    let links = of_first.windows(2).all(|pair| pair[1].transition.from == Some(pair[0].transition.to));
    assert!(links, "no step is missing from the chain");
    assert_eq!(of_first.last().map(|event| event.transition.to), Some(Status::Closed));
}

/// What may happen to the daemon.
#[derive(Clone, Debug)]
enum Happens {
    Polled(u32, Result<Status, FailureReason>),
    Time(u64),
    Crash,
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    let status = prop_oneof![Just(Status::Active), Just(Status::Suspended), Just(Status::Closed)];
    let outcome = prop_oneof![4 => status.prop_map(Ok), 1 => Just(Err(FailureReason::Timeout))];
    prop_oneof![
        8 => (0..2u32, outcome).prop_map(|(target, outcome)| Happens::Polled(target, outcome)),
        4 => (0..2000u64).prop_map(Happens::Time),
        1 => Just(Happens::Crash),
        1 => Just(Happens::Restart),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        (0..500u64).prop_map(Fate::Written),
        Just(Fate::Refused),
        Just(Fate::WrittenUntold),
        Just(Fate::Hangs),
    ]
}

proptest! {
    /// Whatever happens in whatever order: the log is a chain of steps without a gap or a repeat, and in
    /// the end it leads to what was seen last.
    #[test]
    fn nothing_is_lost_doubled_or_invented(
        happens in prop::collection::vec(happens(), 1..40),
        fates in prop::collection::vec(fate(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let kept = runtime.unwrap().block_on(live_through(&happens, &fates));
        for (place, target) in fleet().targets.iter().enumerate() {
            let seen_last = happens.iter().rev().find_map(|event| match event {
                Happens::Polled(of, Ok(status)) if *of as usize == place => Some(*status),
                _ => None,
            });
            let log: Vec<_> = kept.log.iter().filter(|event| event.account.id == target.account.id).collect();
            prop_assert_eq!(log.last().map(|event| event.transition.to), seen_last);
            for (before, event) in std::iter::once(None).chain(log.iter().map(Some)).zip(&log) {
                let before = before.map(|before| before.transition.to);
                prop_assert_eq!(event.transition.from, before);
                prop_assert_ne!(event.transition.from, Some(event.transition.to));
                let first = event.transition.kind == TransitionKind::FirstSeen;
                prop_assert_eq!(first, before.is_none());
            }
        }
    }
}

/// Lives through it all, then through a calm in which each target says once more what it said last.
async fn live_through(happens: &[Happens], fates: &[Fate]) -> Kept {
    let mut fates = fates.iter().copied();
    let mut ledger = ScriptedLedger::new(Kept::default(), fates.by_ref().take(4));
    let mut stage = Stage::with(&ledger);
    let mut last = [None; 2];
    for (second, event) in (1..).zip(happens) {
        match event {
            Happens::Polled(target, outcome) => {
                stage.send(polled_at(second, *target, *outcome)).await;
                last[*target as usize] = outcome.ok().or(last[*target as usize]);
            }
            Happens::Time(millis) => tokio::time::sleep(Duration::from_millis(*millis)).await,
            Happens::Crash | Happens::Restart => {
                if matches!(event, Happens::Restart) {
                    stage.end().await;
                } else {
                    drop(stage);
                }
                ledger = ScriptedLedger::new(ledger.kept(), fates.by_ref().take(4));
                stage = Stage::with(&ledger);
            }
        }
    }
    drop(stage);
    ledger = ScriptedLedger::new(ledger.kept(), []);
    stage = Stage::with(&ledger);
    for (target, status) in (0..).zip(last) {
        if let Some(status) = status {
            stage.send(polled_at(1000, target, Ok(status))).await;
        }
    }
    stage.end().await;
    ledger.kept()
}
