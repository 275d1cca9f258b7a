mod reload;
mod replicas;
mod stage;

use jiff::Timestamp;

use self::stage::{SECOND, Scripted, Stage, fails, fleet, orders, says, surroundings};
use super::*;
use crate::model::{FailureReason, Status};

fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn every_target_is_asked_in_the_start_window_and_then_once_an_interval() {
    let stage = Stage::set(&[(50, 20.0)], |_, _| says(Status::Active)).after(1830 * SECOND).await;
    for target in 0..50 {
        let asked = stage.asked(target);
        assert!(asked[0] <= 31 * SECOND, "target {target} was first asked after {:?}", asked[0]);
        assert!((6..=8).contains(&asked.len()), "target {target} was asked {} times", asked.len());
        for gap in gaps(&asked) {
            assert!(gap <= 301 * SECOND, "target {target} was not asked for {gap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cadence_follows_the_state() {
    let script = |_, before| match before {
        0..5 => says(Status::PendingActivation),
        5..10 => says(Status::Suspended),
        _ => says(Status::Active),
    };
    let stage = Stage::set(&[(1, 5.0)], script).after(3000 * SECOND).await;
    let gaps = gaps(&stage.asked(0));
    let near = |gap: Duration, wanted: u64| gap.abs_diff(Duration::from_secs(wanted)) < SECOND;
    // The first gap of a cadence is shorter: the poll falls into the target's place in the new interval.
    assert!(gaps[1..4].iter().all(|&gap| near(gap, 15)), "while pending: {gaps:?}");
    assert!(gaps[6..9].iter().all(|&gap| near(gap, 60)), "while suspended: {gaps:?}");
    assert!(gaps[11..].iter().all(|&gap| near(gap, 300)) && gaps.len() > 14, "while active: {gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_time_that_aws_asked_for_and_then_one_call_tries() {
    let script = |_, before| match before {
        0 => fails(FailureReason::Throttled, Some(20 * SECOND)),
        _ => (3 * SECOND, says(Status::Active).1),
    };
    let stage = Stage::set(&[(100, 20.0)], script).after(40 * SECOND).await;
    let mut calls: Vec<_> = stage.calls.lock().unwrap().iter().map(|(_, at)| *at - stage.began).collect();
    calls.sort();
    let first = calls[0];
    // Calls that were sent before the first answer came are not to blame.
    let later: Vec<_> = calls.iter().filter(|at| **at > first + SECOND / 20).collect();
    assert!(*later[0] >= first + 20 * SECOND, "the gate opened after {:?}", *later[0] - first);
    assert!(*later[1] >= *later[0] + 3 * SECOND, "the trial's answer was not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_scope_delays_no_other() {
    let script = |TargetId(target), _| match target {
        0..100 => fails(FailureReason::Throttled, Some(600 * SECOND)),
        _ => says(Status::Active),
    };
    let mut stage = Stage::set(&[(100, 20.0), (100, 20.0)], script).after(900 * SECOND).await;
    let polls = stage.polls();
    let neighbours = polls.iter().filter(|poll| poll.target.0 >= 100);
    assert!(neighbours.clone().count() >= 300);
    let worst = neighbours.map(|poll| poll.lag).max();
    // One call at 20 a second, where two targets of the scope are due together.
    assert!(worst < Some(SECOND / 2), "{worst:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_retried_ever_later_but_never_later_than_the_interval() {
    let stage =
        Stage::set(&[(1, 5.0)], |_, _| fails(FailureReason::ServerError, None)).after(3600 * SECOND).await;
    let gaps = gaps(&stage.asked(0));
    assert!(gaps[0] < 4 * SECOND, "{gaps:?}");
    assert!(gaps[..4].is_sorted(), "{gaps:?}");
    assert!(gaps.iter().all(|&gap| gap <= 301 * SECOND), "{gaps:?}");
    assert!(gaps.len() < 30, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_retried_before_its_turn() {
    let stage =
        Stage::set(&[(1, 5.0)], |_, _| fails(FailureReason::AccessDenied, None)).after(3000 * SECOND).await;
    let gaps = gaps(&stage.asked(0));
    assert!(gaps[1..].iter().all(|&gap| gap > 299 * SECOND), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn targets_that_hang_do_not_hold_up_the_others_of_their_scope() {
    let script = |TargetId(target), _| match target % 10 {
        0 => (10 * SECOND, fails(FailureReason::Timeout, None).1),
        _ => says(Status::Active),
    };
    let mut stage = Stage::set(&[(200, 5.0)], script).after(1800 * SECOND).await;
    let polls = stage.polls();
    let well = polls
        .iter()
        .filter(|poll| poll.target.0 % 10 != 0 && poll.attempted_at > Timestamp::from_second(60).unwrap());
    let worst = well.map(|poll| poll.lag).max();
    assert!(worst < Some(5 * SECOND), "{worst:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_is_reported_before_the_poller_ends() {
    let mut stage = Stage::set(&[(1, 5.0)], |_, _| (8 * SECOND, says(Status::Active).1));
    while stage.asked(0).is_empty() {
        tokio::time::sleep(SECOND).await;
    }
    assert!(stage.polls().is_empty());
    stage.stop();
    while stage.pollers.join_next().await.is_some() {}
    assert_eq!(stage.polls().len(), 1);
    assert_eq!(stage.asked(0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_credentials_together_does_not_call_together() {
    let credentials_from = Instant::now() + 60 * SECOND;
    let script = |_, _| says(Status::Active);
    let stage = Stage::set_with(credentials_from, &[(100, 2.0)], script).after(100 * SECOND).await;
    let mut calls: Vec<_> = stage.calls.lock().unwrap().iter().map(|(_, at)| *at - stage.began).collect();
    calls.sort();
    assert!(calls[0] >= 60 * SECOND && calls.len() > 70, "{} calls, from {:?} on", calls.len(), calls[0]);
    for window in calls.windows(10) {
        assert!(window[9] - window[0] >= 4 * SECOND, "ten calls within {:?}", window[9] - window[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_credentials_does_not_hold_up_the_end() {
    let never = Instant::now() + 3600 * SECOND;
    let mut stage =
        Stage::set_with(never, &[(10, 5.0)], |_, _| says(Status::Active)).after(40 * SECOND).await;
    stage.stop();
    let began = Instant::now();
    while stage.pollers.join_next().await.is_some() {}
    assert!(began.elapsed() < SECOND && stage.polls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_idle_poller_is_not_stuck_and_a_blocked_one_is() {
    let (reports, received) = mpsc::channel(1);
    let prober = Scripted {
        script: Arc::new(|_, _| says(Status::PendingActivation)),
        calls: Arc::default(),
        credentials_from: Instant::now(),
        record: Arc::default(),
    };
    let around = surroundings(prober, reports, None);
    let orders = watch::Sender::new(orders(fleet(&[(1, 5.0)])));
    let liveness = Arc::clone(&around.liveness);
    let mut pollers = tokio::task::JoinSet::new();
    pollers.spawn(Poller::new(around, orders.subscribe(), ScopeId(0), 0).run());
    tokio::time::sleep(14 * SECOND).await;
    assert_eq!(liveness.check(Instant::now()), Ok(()));
    // Nobody takes the reports in, so the poller blocks on its second.
    tokio::time::sleep(3 * 3600 * SECOND).await;
    let stuck = liveness.check(Instant::now()).unwrap_err().to_string();
    assert!(stuck.starts_with("the poller of account in us-east-1 for identity `hub` has not"), "{stuck}");
    drop(received);
}

/// The loop of a scope with one target is the most of what that target takes of memory.
#[tokio::test]
async fn a_poller_at_rest_is_small() {
    let stage = Stage::set(&[], |_, _| says(Status::Active));
    let (reports, _received) = mpsc::channel(1);
    let prober = Scripted {
        script: Arc::new(|_, _| says(Status::Active)),
        calls: stage.calls,
        credentials_from: Instant::now(),
        record: Arc::default(),
    };
    let orders = watch::Sender::new(orders(fleet(&[(1, 5.0)])));
    let poller = Poller::new(surroundings(prober, reports, None), orders.subscribe(), ScopeId(0), 0);
    let bytes = size_of_val(&poller.run());
    assert!(bytes <= 640, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_once_asks_again_after_a_throttle_alone() {
    let script = |TargetId(target), before| match (target, before) {
        (0, 0..2) => fails(FailureReason::Throttled, None),
        (1, _) => fails(FailureReason::ServerError, None),
        (2, 0) => fails(FailureReason::Credentials, Some(SECOND)),
        (3, _) => fails(FailureReason::Credentials, None),
        _ => says(Status::PendingActivation),
    };
    let (reports, _received) = mpsc::channel(64);
    let prober = Scripted {
        script: Arc::new(script),
        calls: Arc::default(),
        credentials_from: Instant::now(),
        record: Arc::default(),
    };
    let calls = Arc::clone(&prober.calls);
    let orders = watch::Sender::new(orders(fleet(&[(5, 5.0)])));
    let poller = Poller::new(surroundings(prober, reports, None), orders.subscribe(), ScopeId(0), 0);
    let mut pollers = tokio::task::JoinSet::new();
    pollers.spawn(poller.asking_once().run());
    tokio::time::sleep(3600 * SECOND).await;
    let calls = calls.lock().unwrap();
    let asked = |target| calls.iter().filter(|(id, _)| *id == TargetId(target)).count();
    assert_eq!([0, 1, 2, 3, 4].map(asked), [3, 1, 2, 1, 1]);
}
