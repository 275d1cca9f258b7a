use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Account, Probe, Region, ScopeId};

fn target(account: u64, region: Option<&str>) -> Target {
    let id = format!("{account:012}").parse().unwrap();
    Target {
        account: Arc::new(Account { id, name: "any".into(), labels: [].into() }),
        probe: if region.is_some() { Probe::FleetWise } else { Probe::GovCloud },
        region: region.map(Region::new),
        identity: "any".into(),
        scope: ScopeId(0),
        polling: Arc::new(Polling {
            interval: Duration::from_secs(300),
            pending_interval: Duration::from_secs(15),
            failed_interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            stale_after: Duration::from_secs(900),
        }),
    }
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// How far into its interval an instant of the grid lies, as a fraction.
fn place(anchor: Instant, at: Instant, interval: Duration) -> f64 {
    let elapsed = at.duration_since(anchor).as_nanos();
    (elapsed % interval.as_nanos()) as f64 / interval.as_nanos() as f64
}

proptest! {
    #[test]
    fn the_next_point_is_after_now_and_within_the_interval(
        account in 0u64..1_000_000_000_000,
        now in millis(0..1_000_000_000),
        interval in millis(1..100_000_000),
    ) {
        let anchor = Instant::now();
        let now = anchor + now;
        let next = Cadence::new(&target(account, None), anchor).next(now, interval);
        prop_assert!(now < next && next <= now + interval);
    }

    #[test]
    fn what_is_taken_over_comes_when_it_would_have_or_soon(
        account in 0u64..1_000_000_000_000,
        since_last in millis(0..1_000_000),
        interval in millis(1..1_000_000),
        window in millis(0..60_000),
    ) {
        let now = Instant::now();
        let due = Cadence::new(&target(account, None), now).taken_over(now, since_last, interval, window);
        if since_last < interval {
            prop_assert_eq!(due, now + interval - since_last);
        } else {
            let overdue = since_last - interval;
            prop_assert!(due >= now && due <= now + (overdue / 16).min(interval / 16).min(window));
        }
    }

    /// Each polls late by some, switches intervals, and comes back to the first.
    #[test]
    fn no_two_targets_drift_towards_each_other(
        steps in prop::collection::vec((0usize..3, millis(0..40_000)), 1..50),
    ) {
        let anchor = Instant::now();
        let pair = ["us-east-1", "eu-central-1"].map(|region| target(111_122_223_333, Some(region)));
        let intervals = [300, 15, 60].map(Duration::from_secs);
        let places = pair.map(|target| {
            let cadence = Cadence::new(&target, anchor);
            let mut now = anchor;
            let mut places = vec![];
            for &(which, late) in &steps {
                let due = cadence.next(now, intervals[which]);
                places.push(place(anchor, due, intervals[which]));
                now = due + late;
            }
            places
        });
        let apart = places[0][0] - places[1][0];
        prop_assert!(apart.abs() > 0.01, "they were apart from the start");
        for (one, other) in places[0].iter().zip(&places[1]) {
            prop_assert!((one - other - apart).abs() < 1e-6, "{places:?}");
        }
    }

    #[test]
    fn a_retry_is_never_later_than_the_regular_poll(
        reasons in prop::collection::vec(0usize..FailureReason::ALL.len(), 1..20),
        hint in prop::option::of(millis(0..1_000_000)),
        interval in millis(1_000..1_000_000),
        start in millis(0..1_000_000),
        seed in any::<u64>(),
    ) {
        let anchor = Instant::now();
        let cadence = Cadence::new(&target(1, None), anchor);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut backoff = None;
        let mut now = anchor + start;
        for reason in reasons {
            let mut failure = Failure::new(FailureReason::ALL[reason], "");
            failure.retry_after = hint;
            let regular = cadence.next(now, interval);
            let due = cadence.after_failure(&failure, &mut backoff, now, interval, &mut rng);
            prop_assert!(now <= due && due <= regular);
            let soonest = now + hint.unwrap_or_default().max(RETRY_INITIAL.mul_f64(0.79));
            prop_assert!(due >= soonest || due == regular || failure.reason == FailureReason::Throttled);
            now = due;
        }
    }
}

#[test]
fn the_start_is_spread_evenly_and_alike_in_each_run() {
    let anchor = Instant::now();
    let window = Duration::from_secs(30);
    let mut per_second = [0; 30];
    for account in 0..3000 {
        let first = Cadence::new(&target(account, None), anchor).first(anchor, window);
        per_second[first.duration_since(anchor).as_secs() as usize] += 1;
    }
    // A hundred each, with a standard deviation of ten.
    assert!(per_second.iter().all(|count| (60..140).contains(count)), "{per_second:?}");
    let known = Cadence::new(&target(111_122_223_333, Some("us-east-1")), anchor);
    assert_eq!(known.fraction, 0xfee7_a366_1cef_6162, "another hash would move everybody");
}

#[test]
fn what_a_failure_changes_follows_from_its_reason() {
    let anchor = Instant::now();
    let cadence = Cadence::new(&target(1, None), anchor);
    let interval = Duration::from_secs(300);
    // Right after a regular poll, so the next is a whole interval away.
    let now = cadence.next(anchor, interval);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut after = |backoff: &mut _, reason, retry_after| {
        let mut failure = Failure::new(reason, "");
        failure.retry_after = retry_after;
        cadence.after_failure(&failure, backoff, now, interval, &mut rng).duration_since(now).as_secs_f64()
    };
    let mut backoff = None;
    assert_eq!(after(&mut backoff, FailureReason::Throttled, None), 0.0);
    assert!(backoff.is_none());
    for nominal in [2.0, 4.0, 8.0, 16.0, 32.0, 64.0] {
        let delay = after(&mut backoff, FailureReason::Timeout, None);
        assert!((0.8 * nominal..=1.2 * nominal).contains(&delay), "{nominal} {delay}");
    }
    after(&mut backoff, FailureReason::Timeout, None);
    assert_eq!(after(&mut backoff, FailureReason::Timeout, None), 300.0, "more than half the interval");
    assert_eq!(after(&mut backoff, FailureReason::AccessDenied, None), 300.0);
    assert!(backoff.is_none(), "AWS answered: the next timeout is the first again");
    assert_eq!(after(&mut backoff, FailureReason::ServerError, Some(Duration::from_secs(17))), 17.0);
    assert_eq!(after(&mut backoff, FailureReason::Credentials, None), 300.0);
    assert_eq!(after(&mut backoff, FailureReason::Credentials, Some(Duration::from_secs(9))), 9.0);
}

#[test]
fn the_phase_chooses_the_interval() {
    let polling = &target(1, None).polling;
    let seconds = |phase| interval(polling, phase).as_secs();
    assert_eq!([Phase::Settled, Phase::Pending, Phase::Failed].map(seconds), [300, 15, 60]);
}
