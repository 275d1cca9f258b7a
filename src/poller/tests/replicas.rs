//! What a poller does that is one replica's: it asks only while nobody else can, and goes on where others were.

use std::collections::BTreeMap;

use super::stage::{inherited, orders};
use super::*;
use crate::lease::Tenure;
use crate::model::{Claim, Epoch, Lease};

const SHARD: Lease = Lease::Shard(3);

/// Orders for one target, under a claim.
fn under_a_claim() -> Orders {
    let mut fleet = fleet(&[(1, 20.0)]);
    fleet.claims = BTreeMap::from([(ScopeId(0), Claim { lease: SHARD, epoch: Epoch(7) })]);
    orders(fleet)
}

/// The lease is held, for certain until then.
fn held(epoch: u64, certain_until: Instant) -> Arc<Held> {
    Arc::new(Held::from_iter([(SHARD, Tenure { epoch: Epoch(epoch), certain_until, is_going: false })]))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_once_the_claim_is_not_certain_even_if_nobody_has_said_so() {
    let began = Instant::now();
    // What is shown never changes, as if whoever keeps the leases stood still.
    let (_keeper, seen) = watch::channel(held(7, began + 40 * SECOND));
    let often = |_, _| says(Status::PendingActivation);
    let stage = Stage::under(under_a_claim(), Some(seen), began, often).after(300 * SECOND).await;
    let asked = stage.asked(0);
    assert!(asked.len() >= 2 && asked.iter().all(|at| *at < 40 * SECOND), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_when_the_claim_is_certain_again_and_not_under_another_epoch() {
    let began = Instant::now();
    let (keeper, seen) = watch::channel(held(8, began + 1000 * SECOND));
    let often = |_, _| says(Status::PendingActivation);
    let stage = Stage::under(under_a_claim(), Some(seen), began, often).after(100 * SECOND).await;
    assert!(stage.asked(0).is_empty(), "somebody else may have it meanwhile");
    keeper.send_replace(held(7, began + 1000 * SECOND));
    let stage = stage.after(120 * SECOND).await;
    assert!(!stage.asked(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_others_had_goes_on_where_it_was() {
    let began = Instant::now();
    let due = [(TargetId(0), began + 170 * SECOND), (TargetId(1), began)].into();
    let orders = inherited(fleet(&[(2, 20.0)]), Inheritance { due, ..Inheritance::default() });
    let stage = Stage::under(orders, None, began, |_, _| says(Status::Active)).after(200 * SECOND).await;
    assert_eq!(stage.asked(0)[0], 170 * SECOND);
    assert_eq!(stage.asked(1)[0], Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_gate_of_before_is_kept_and_then_one_call_tries() {
    let began = Instant::now();
    let gates = [(ScopeId(0), began + 100 * SECOND)].into();
    let orders = inherited(fleet(&[(50, 20.0)]), Inheritance { gates, ..Inheritance::default() });
    let slow = |_, _| (3 * SECOND, says(Status::Active).1);
    let stage = Stage::under(orders, None, began, slow).after(110 * SECOND).await;
    let mut calls: Vec<_> = stage.calls.lock().unwrap().iter().map(|(_, at)| *at - began).collect();
    calls.sort();
    assert_eq!(calls[0], 100 * SECOND);
    assert!(calls[1] >= 103 * SECOND, "the trial's answer was not waited for: {calls:?}");
}
