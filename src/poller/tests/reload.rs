//! Going over to another generation.

use std::collections::HashSet;

use super::stage::POLLING;
use super::*;
use crate::model::{Fleet, Generation, Polling, Succession, Target};

impl Stage {
    /// Lets another fleet take over, as the daemon does; ends when every poller has let go of the one
    /// before. `redefined` are identities that mean somebody else now.
    async fn adopt(&self, fleet: Fleet, redefined: &[&str]) {
        let before = Arc::clone(&self.orders.borrow().assignment);
        let generation = before.fleet.generation.next();
        let redefined: HashSet<Arc<str>> = redefined.iter().map(|&name| name.into()).collect();
        let succession = Succession::between(&before.fleet, &fleet, &redefined);
        let (held, _released) = mpsc::channel(1);
        let assignment = Arc::new(Assignment {
            fleet: Arc::new(Fleet { generation, ..fleet }),
            succession: Arc::new(succession),
            redefined: Arc::new(redefined),
            organizations: Vec::new(),
            start_window: 30 * SECOND,
            inheritance: Inheritance::default(),
            held,
        });
        self.orders.send_replace(Orders { assignment, is_settled: false });
        let is_released = before.held.clone();
        drop(before);
        // Of the generation before only this sender is left when the pollers have gone over.
        while is_released.strong_count() > 1 {
            tokio::task::yield_now().await;
        }
        self.orders.send_modify(|orders| orders.is_settled = true);
    }
}

/// The fleet with other targets, and the same scopes.
fn with(fleet: Fleet, keep: impl Fn(u32) -> bool) -> Fleet {
    let Fleet { targets, mut scopes, .. } = fleet;
    let kept: Vec<_> = (0..).zip(targets).filter(|(id, _)| keep(*id)).map(|(_, target)| target).collect();
    for scope in &mut scopes {
        scope.targets.clear();
    }
    for (id, target) in (0..).map(TargetId).zip(&kept) {
        scopes[target.scope.0 as usize].targets.push(id);
    }
    Fleet { targets: kept, scopes, ..Fleet::default() }
}

/// The fleet with another cadence.
fn every(fleet: Fleet, interval: Duration) -> Fleet {
    let polling = Arc::new(Polling { interval, ..POLLING });
    let targets = fleet.targets.into_iter().map(|t| Target { polling: Arc::clone(&polling), ..t }).collect();
    Fleet { targets, ..fleet }
}

#[tokio::test(start_paused = true)]
async fn who_stays_is_asked_when_it_would_have_been() {
    let quiet = Stage::set(&[(20, 20.0)], |_, _| says(Status::Active)).after(1530 * SECOND).await;
    let undisturbed: Vec<_> = (0..20).map(|target| quiet.asked(target)).collect();
    let stage = Stage::set(&[(20, 20.0)], |_, _| says(Status::Active));
    for second in 1..15 {
        tokio::time::sleep_until(stage.began + 100 * second * SECOND).await;
        // The odd ones come and go, and everybody's place changes each time.
        stage.adopt(with(fleet(&[(20, 20.0)]), |id| id % 2 == 0 || second % 2 == 0), &[]).await;
    }
    let stage = stage.after(1530 * SECOND).await;
    for target in (0..20).step_by(2) {
        let (was, is) = (&undisturbed[target as usize], stage.asked(target));
        assert_eq!(was.len(), is.len(), "{was:?} {is:?}");
        // Where two are due at once, one call follows the other.
        assert!(was.iter().zip(&is).all(|(was, is)| was.abs_diff(*is) < SECOND / 2), "{was:?} {is:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_name_their_generation_and_who_they_are_about_in_it() {
    let mut stage = Stage::set(&[(3, 20.0)], |_, _| (8 * SECOND, says(Status::Active).1));
    while stage.asked(2).is_empty() {
        tokio::time::sleep(SECOND / 10).await;
    }
    stage.polls();
    stage.adopt(with(fleet(&[(3, 20.0)]), |id| id == 2), &[]).await;
    // A call in flight goes on, and is that of the first target now.
    tokio::time::sleep(9 * SECOND).await;
    let reports: Vec<_> = std::iter::from_fn(|| stage.reports.try_recv().ok()).collect();
    let [Report::Polled { generation: Generation(1), poll, scope: ScopeId(0), .. }] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(poll.target, TargetId(0));
    assert_eq!(stage.asked(2).len(), 1, "it was not asked again");
}

#[tokio::test(start_paused = true)]
async fn what_has_gone_is_let_go_of_at_once_and_never_asked_twice_at_once() {
    let script = |_, before| (if before == 0 { 3600 * SECOND } else { SECOND }, says(Status::Active).1);
    let stage = Stage::set(&[(1, 5.0), (1, 5.0)], script).after(40 * SECOND).await;
    assert_eq!((stage.asked(0).len(), stage.in_flight(0)), (1, 1));
    stage.adopt(with(fleet(&[(1, 5.0), (1, 5.0)]), |id| id == 1), &[]).await;
    assert_eq!(stage.in_flight(0), 0, "nobody waits for the answer any more");
    stage.adopt(fleet(&[(1, 5.0), (1, 5.0)]), &[]).await;
    let mut stage = stage.after(80 * SECOND).await;
    assert_eq!(stage.asked(0).len(), 2);
    assert_eq!((stage.asked(1).len(), stage.in_flight(1)), (1, 1), "the neighbour has not noticed");
    assert_eq!(stage.polls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_has_gone_ends_its_poller_and_its_promise() {
    let mut stage = Stage::set(&[(1, 5.0), (1, 5.0)], |_, _| says(Status::Active)).after(40 * SECOND).await;
    let mut without = fleet(&[(1, 5.0), (1, 5.0)]);
    without.scopes.remove(0);
    without.targets.remove(0);
    without.targets[0].scope = ScopeId(0);
    without.scopes[0].targets = vec![TargetId(0)];
    stage.adopt(without, &[]).await;
    assert_eq!(stage.pollers.join_next().await.unwrap().unwrap(), Finish::Dissolved);
    let mut stage = stage.after(700 * SECOND).await;
    assert_eq!(stage.asked(0).len(), 1);
    assert!(stage.asked(1).len() >= 3, "{:?}", stage.asked(1));
    assert!(stage.polls().iter().skip(2).all(|poll| poll.target == TargetId(0)));
}

#[tokio::test(start_paused = true)]
async fn who_moves_to_another_scope_is_asked_there_when_nobody_else_asks_any_more() {
    let stage = Stage::set(&[(2, 5.0), (1, 5.0)], |_, _| (20 * SECOND, says(Status::Active).1));
    while stage.in_flight(0) == 0 {
        tokio::time::sleep(SECOND / 10).await;
    }
    let mut moved = fleet(&[(2, 5.0), (1, 5.0)]);
    moved.targets[0].scope = ScopeId(1);
    stage.adopt(with(moved, |_| true), &[]).await;
    assert_eq!(stage.in_flight(0), 0);
    let stage = stage.after(500 * SECOND).await;
    assert!(stage.asked(0).len() >= 2, "{:?}", stage.asked(0));
    assert!(gaps(&stage.asked(0))[0] <= 30 * SECOND, "{:?}", stage.asked(0));
    assert_eq!(stage.most_at_once(0), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_holds_at_once_and_a_longer_one_from_the_next_poll_on() {
    let stage = Stage::set(&[(10, 20.0)], |_, _| says(Status::Active)).after(100 * SECOND).await;
    stage.adopt(every(fleet(&[(10, 20.0)]), 10 * SECOND), &[]).await;
    let stage = stage.after(205 * SECOND).await;
    for target in 0..10 {
        let often = stage.asked(target).into_iter().filter(|&at| at > 100 * SECOND).collect::<Vec<_>>();
        assert!(often[0] <= 111 * SECOND && often.len() >= 10, "{often:?}");
    }
    let so_far: Vec<_> = (0..10).map(|target| stage.asked(target).len()).collect();
    stage.adopt(every(fleet(&[(10, 20.0)]), 1000 * SECOND), &[]).await;
    let stage = stage.after(220 * SECOND).await;
    let since = |stage: &Stage, target: u32| stage.asked(target).len() - so_far[target as usize];
    // One may have been in the middle of a call, and one's place in the new interval may be near.
    assert!((0..10).all(|target| since(&stage, target) <= 2));
    let stage = stage.after(1210 * SECOND).await;
    assert!((0..10).all(|target| (1..=3).contains(&since(&stage, target))));
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_and_a_growing_delay_stay_as_they_are() {
    let script = |TargetId(target), before| match (target, before) {
        (0, 0) => fails(FailureReason::Throttled, Some(600 * SECOND)),
        (0, _) => says(Status::Active),
        _ => fails(FailureReason::ServerError, None),
    };
    let stage = Stage::set(&[(1, 5.0), (1, 5.0)], script);
    for second in 1..70 {
        tokio::time::sleep_until(stage.began + 10 * second * SECOND).await;
        stage.adopt(fleet(&[(1, f64::from(second)), (1, 5.0)]), &[]).await;
    }
    let gap = gaps(&stage.asked(0))[0];
    assert!(gap >= 600 * SECOND && gap < 601 * SECOND, "{gap:?}");
    let gaps = gaps(&stage.asked(1));
    assert!(gaps[..5].is_sorted() && gaps.len() < 12, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_has_gone_is_made_again_by_another() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let script = move |_, _| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => fails(FailureReason::Throttled, Some(60 * SECOND)),
        _ => (100 * SECOND, says(Status::Active).1),
    };
    let stage = Stage::set(&[(2, 5.0)], script).after(100 * SECOND).await;
    let trial = (0..2).find(|&target| stage.in_flight(target) == 1).expect("one tries");
    stage.adopt(with(fleet(&[(2, 5.0)]), |id| id != trial), &[]).await;
    let stage = stage.after(102 * SECOND).await;
    assert_eq!(stage.in_flight(1 - trial), 1, "the gate waits for nobody who has gone");
}

#[tokio::test(start_paused = true)]
async fn who_is_signed_in_as_somebody_else_signs_in_anew() {
    let credentials_from = Instant::now() + 60 * SECOND;
    let script = |_, _| says(Status::Active);
    // Far more have signed in by then than the pace lets through.
    let stage = Stage::set_with(credentials_from, &[(60, 1.0)], script).after(61 * SECOND).await;
    let mut renamed = fleet(&[(60, 1.0)]);
    for target in renamed.targets.iter_mut().take(30) {
        target.identity = "other".into();
    }
    stage.adopt(renamed, &[]).await;
    let stage = stage.after(200 * SECOND).await;
    assert!((0..60).all(|target| !stage.asked(target).is_empty()), "each is asked all the same");
    assert!(stage.sign_ins() > 60, "some have signed in twice: {}", stage.sign_ins());
}
