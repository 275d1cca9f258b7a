use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn throttled(retry_after: Option<Duration>) -> Answer {
    Answer::Throttled { retry_after }
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::Accepted),
        2 => Just(throttled(None)),
        1 => millis(0..20_000).prop_map(|hint| throttled(Some(hint))),
        1 => Just(Answer::Unanswered),
    ]
}

/// A poller that keeps several calls in flight, each answered after a time, and wakes late.
#[derive(Debug)]
struct Life {
    limit: f64,
    /// For each call: how late it starts, how long it takes and its answer.
    calls: Vec<(Duration, Duration, Answer)>,
    seed: u64,
}

fn lives() -> impl Strategy<Value = Life> {
    let call = (millis(0..1500), millis(1..2000), answers());
    (0.2f64..50.0, prop::collection::vec(call, 1..150), any::<u64>()).prop_map(|(limit, calls, seed)| Life {
        limit,
        calls,
        seed,
    })
}

/// What a poller sees when it starts or finishes a call.
struct Seen<'a> {
    pace: &'a Pace,
    now: Instant,
    /// Which call.
    call: usize,
    /// Its answer, if it finished.
    answer: Option<Answer>,
    /// Whether the gate was closed just before.
    was_closed: bool,
}

/// Lives it, calling `look` after each start and each finish.
fn live(life: &Life, mut look: impl FnMut(Seen<'_>)) {
    let mut now = Instant::now();
    let mut pace = Pace::new(life.limit, now, life.seed);
    let mut in_flight: Vec<(Instant, usize, Permit, Answer)> = vec![];
    let mut calls = life.calls.iter().enumerate();
    let mut next = calls.next();
    loop {
        in_flight.sort_by_key(|&(end, ..)| std::cmp::Reverse(end));
        let start = next
            .filter(|_| in_flight.len() < 4)
            .and_then(|(_, &(late, ..))| Some(pace.next_call(now)?.max(now) + late));
        let end = in_flight.last().map(|&(end, ..)| end);
        let was_closed = pace.backoff_until().is_some();
        let (call, answer) = match (start, end) {
            (None, None) => break,
            (start, Some(end)) if start.is_none_or(|start| end <= start) => {
                let (_, call, permit, answer) = in_flight.pop().expect("it ends");
                now = end;
                pace.finish(permit, answer, now);
                (call, Some(answer))
            }
            (start, _) => {
                let (call, &(_, takes, answer)) = next.expect("it starts");
                now = start.expect("nothing ends before");
                in_flight.push((now + takes, call, pace.start(now), answer));
                next = calls.next();
                (call, None)
            }
        };
        look(Seen { pace: &pace, now, call, answer, was_closed });
    }
}

proptest! {
    #[test]
    fn no_window_has_more_calls_than_the_limit_however_late_the_caller_wakes(life in lives()) {
        let mut starts = vec![];
        live(&life, |seen| {
            if seen.answer.is_none() {
                starts.push(seen.now);
            }
            let allowed = seen.pace.allowed(seen.now);
            assert!(allowed > 0.0 && allowed <= life.limit);
        });
        for (first, from) in starts.iter().enumerate() {
            for (last, to) in starts.iter().enumerate().skip(first) {
                let window = to.duration_since(*from).as_secs_f64();
                prop_assert!((last - first + 1) as f64 <= window * life.limit + 2.0);
            }
        }
    }

    #[test]
    fn nothing_is_sent_before_the_delay_and_what_aws_asked_for(life in lives()) {
        let mut until: Option<Instant> = None;
        live(&life, |seen| {
            if seen.answer.is_none() {
                assert!(until.is_none_or(|until| seen.now >= until));
            }
            if let Some(Answer::Throttled { retry_after }) = seen.answer {
                until = until.max(retry_after.map(|hint| seen.now + hint)).max(seen.pace.backoff_until());
            }
        });
    }

    #[test]
    fn exactly_one_call_tries_and_only_its_success_opens_the_gate(life in lives()) {
        let mut trial = None;
        live(&life, |seen| {
            let closed = seen.pace.backoff_until().is_some();
            match seen.answer {
                None if seen.was_closed => assert_eq!(trial.replace(seen.call), None),
                None => assert!(!closed),
                Some(answer) => {
                    let tried = trial.take_if(|&mut trial| trial == seen.call).is_some();
                    let opened = seen.was_closed && !closed;
                    assert!(!opened || tried && answer == Answer::Accepted);
                }
            }
            assert_eq!(trial.is_some(), seen.pace.next_call(seen.now).is_none());
        });
    }

    #[test]
    fn delays_of_throttles_in_a_row_grow_up_to_five_minutes(limit in 0.1f64..50.0, seed in any::<u64>()) {
        let mut now = Instant::now();
        let mut pace = Pace::new(limit, now, seed);
        let mut delays = vec![];
        for _ in 0..25 {
            let permit = pace.start(now);
            pace.finish(permit, throttled(None), now);
            delays.push(pace.backoff_until().expect("the gate is closed").duration_since(now));
            now = pace.next_call(now).expect("a trial may start");
        }
        let gap = Duration::from_secs_f64(1.0 / limit);
        prop_assert!(delays[0] >= DELAY_MIN.mul_f64(0.8).max(gap.mul_f64(0.8)), "{delays:?}");
        for pair in delays.windows(2) {
            prop_assert!(pair[1] > pair[0] || pair[0] >= DELAY_MAX.mul_f64(0.66), "{delays:?}");
        }
        prop_assert!(delays.iter().all(|&delay| delay <= DELAY_MAX), "{delays:?}");
    }
}

/// A pace whose first call was throttled, and when its trial may start.
fn closed(retry_after: Option<Duration>) -> (Pace, Instant) {
    let now = Instant::now();
    let mut pace = Pace::new(4.0, now, 1);
    let permit = pace.start(now);
    pace.finish(permit, throttled(retry_after), now);
    let until = pace.next_call(now).expect("a trial may start");
    (pace, until)
}

#[test]
fn a_call_from_before_the_gate_closed_neither_opens_it_nor_doubles_the_delay() {
    let mut now = Instant::now();
    let mut pace = Pace::new(4.0, now, 1);
    let early = [(); 3].map(|()| {
        now += SECOND;
        pace.start(now)
    });
    pace.finish(early[0], throttled(None), now);
    let (until, allowed) = (pace.backoff_until(), pace.allowed(now));
    assert!(until.is_some());
    pace.finish(early[1], throttled(None), now);
    pace.finish(early[2], Answer::Accepted, now);
    assert_eq!((pace.backoff_until(), pace.allowed(now)), (until, allowed));
    assert_eq!(pace.throttled(), 2);
}

#[test]
fn only_the_trials_success_opens_the_gate() {
    let (mut pace, mut now) = closed(None);
    let first_delay = pace.backoff_until();
    let trial = pace.start(now);
    assert_eq!(pace.next_call(now), None);
    now += SECOND;
    pace.finish(trial, Answer::Unanswered, now);
    let next = pace.next_call(now).expect("another trial follows");
    assert!(next > now && next <= now + SECOND, "soon, since the bucket said nothing");
    assert!(pace.backoff_until() > first_delay);
    let trial = pace.start(next);
    pace.finish(trial, Answer::Accepted, next);
    assert_eq!(pace.backoff_until(), None);
    assert!(pace.next_call(next).is_some_and(|due| due > next));
}

#[test]
fn what_aws_asks_for_counts_above_our_own_cap_and_below_an_hour() {
    let wait = |hint| {
        let (pace, until) = closed(Some(hint));
        assert_eq!(pace.backoff_until(), Some(until));
        until
    };
    let now = Instant::now();
    let minutes = |hint: u64| wait(Duration::from_secs(hint * 60)).duration_since(now).as_secs() / 60;
    assert_eq!([minutes(7), minutes(60), minutes(100_000)], [7, 60, 60]);
}

#[test]
fn a_late_hint_closes_the_gate_again() {
    let (mut pace, now) = closed(None);
    let stale = Permit { closings: 0 };
    let trial = pace.start(now);
    pace.finish(trial, Answer::Accepted, now);
    pace.finish(stale, throttled(None), now);
    assert_eq!(pace.backoff_until(), None, "without a hint it tells nothing new");
    pace.finish(stale, throttled(Some(SECOND * 9)), now);
    assert_eq!(pace.backoff_until(), Some(now + SECOND * 9));
}

#[test]
fn a_scope_costs_little_memory() {
    assert!(size_of::<Pace>() <= 200, "{}", size_of::<Pace>());
}

/// A pace that was throttled once and accepted again, so that it has learnt something.
fn learnt(limit: f64) -> (Pace, Instant) {
    let begin = Instant::now();
    let mut pace = Pace::new(limit, begin, 7);
    let mut now = begin;
    for call in 0..40 {
        now = pace.next_call(now).expect("no trial is in flight").max(now);
        let permit = pace.start(now);
        now += Duration::from_millis(20);
        let answer = if call == 30 { Answer::Throttled { retry_after: None } } else { Answer::Accepted };
        pace.finish(permit, answer, now);
    }
    (pace, now)
}

#[test]
fn another_limit_holds_at_once_and_is_no_reason_to_forget() {
    let (mut pace, now) = learnt(10.0);
    let allowed = pace.allowed(now);
    assert!(allowed < 10.0);
    pace.set_limit(1.0);
    assert_eq!(pace.allowed(now), 1.0);
    for limit in [100.0, 10.0] {
        pace.set_limit(limit);
        assert_eq!(pace.allowed(now), allowed);
    }
}

#[test]
fn where_nothing_was_learnt_the_limit_is_the_rate() {
    let now = Instant::now();
    let mut pace = Pace::new(10.0, now, 7);
    for limit in [1.0, 50.0] {
        pace.set_limit(limit);
        assert_eq!(pace.allowed(now), limit);
    }
}

#[test]
fn another_limit_opens_no_gate() {
    let now = Instant::now();
    let mut pace = Pace::new(10.0, now, 7);
    let permit = pace.start(now);
    pace.finish(permit, Answer::Throttled { retry_after: Some(Duration::from_mins(1)) }, now);
    pace.set_limit(100.0);
    assert_eq!(pace.backoff_until(), Some(now + Duration::from_mins(1)));
    assert!(pace.next_call(now) >= Some(now + Duration::from_mins(1)));
}
