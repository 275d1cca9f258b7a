//! What is written under which claim, while a target comes and goes.

use super::generations::only;
use super::ledger::{Fate, Kept, ScriptedLedger};
use super::*;
use crate::model::{Claim, Epoch, Lease};

/// The fleet, held under an epoch.
fn held(epoch: u64) -> Fleet {
    let claim = Claim { lease: Lease::Shard(0), epoch: Epoch(epoch) };
    Fleet { claims: [(ScopeId(0), claim)].into(), ..fleet() }
}

fn of(generation: u64, report: Report) -> Report {
    let Report::Polled { poll, scope, pacing, .. } = report else { panic!("{report:?}") };
    Report::Polled { generation: Generation(generation), poll, scope, pacing }
}

/// The store is away while a replica loses a shard, has it again, and loses it again. What it saw the second time is
/// written under the second claim, state and event together: whoever comes next would else see the same change, and
/// tell it again.
#[tokio::test(start_paused = true)]
async fn what_was_seen_under_a_second_claim_is_not_mixed_with_what_was_under_the_first() {
    let ledger = ScriptedLedger::new(Kept::default(), [Fate::Written(0), Fate::Refused]);
    let stage = Stage::with(&ledger);
    stage.adopt(0, held(1), &ledger).await;
    stage.send(of(1, polled(0, Ok(Status::Active)))).await;
    ledger.writes(1).await;
    stage.send(of(1, polled_at(1, 0, Ok(Status::Suspended)))).await;
    ledger.writes(2).await;
    stage.adopt(2, only(&[]), &ledger).await;
    stage.adopt(3, held(2), &ledger).await;
    stage.send(of(3, polled_at(3, 0, Ok(Status::Closed)))).await;
    stage.adopt(4, only(&[]), &ledger).await;
    stage.end().await;
    let kept = ledger.kept();
    let second =
        kept.batches.iter().find(|batch| batch.claim.as_ref().is_some_and(|claim| claim.epoch == Epoch(2)));
    let second = second.expect("it is written");
    let [event] = &second.events[..] else { panic!("{second:?}") };
    assert_eq!((event.transition.from, event.transition.to), (Some(Status::Active), Status::Closed));
    let [(_, state)] = &second.states[..] else { panic!("its state is not written: {second:?}") };
    assert_eq!(state.resources[0].reading.status, Status::Closed);
}
