mod change;
mod place;

use std::collections::HashSet;
use std::iter::{repeat_n, zip};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::fake::{FakeLog, Receiver, SEEN, refusal};
use super::*;
use crate::model::TransitionKind::{Changed, FirstSeen};
use RefusalReason::{Refused, ServerError, Template, Throttled, Unreachable};

/// A sink at work, on a log and with a receiver.
struct Running {
    progress: Arc<Progress>,
    /// The sink goes on for as long as it is held.
    changes: mpsc::Sender<Change<Receiver>>,
    draining: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    async fn start(log: &FakeLog, receiver: &Receiver) -> Self {
        let clock = Clock::starting_at(SEEN.parse().unwrap());
        let sink =
            Sink::open("test".into(), On::default(), receiver.clone(), log.clone(), clock).await.unwrap();
        let (progress, draining) = (sink.progress(), CancellationToken::new());
        let mut task = JoinSet::new();
        let (changes, received) = mpsc::channel(1);
        task.spawn(sink.run(received, draining.clone()));
        Self { progress, changes, draining, task }
    }

    async fn end(mut self) {
        self.draining.cancel();
        self.task.join_next().await.unwrap().unwrap();
    }
}

fn seconds(tries: &[(Instant, u64)]) -> Vec<f64> {
    tries.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_comes_in_order_and_the_place_is_saved_when_the_queue_is_dry() {
    let (log, receiver) = (FakeLog::new(), Receiver::default());
    log.append(Changed, 3);
    let sink = Running::start(&log, &receiver).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.taken(), [0; 0], "the log was there before the sink");
    log.append(Changed, 2);
    log.append(FirstSeen, 2);
    log.append(Changed, 1);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.taken(), [4, 5, 8]);
    assert_eq!(log.cursor_now(), Some(8));
    assert_eq!((sink.progress.delivered(), sink.progress.pending()), (3, 0));
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_is_tried_for_ever_and_nothing_overtakes() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(repeat_n(refusal(ServerError), 40)));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 2);
    sleep(Duration::from_hours(4)).await;
    assert_eq!(receiver.taken(), [1, 2]);
    let tries = receiver.tries();
    assert_eq!(tries.len(), 42);
    assert!(tries[..41].iter().all(|&(_, sequence)| sequence == 1), "{tries:?}");
    let gaps = seconds(&tries);
    let doubled = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 250.0, 250.0];
    for (gap, nominal) in zip(&gaps, doubled) {
        assert!((0.8..1.21).contains(&(gap / nominal)), "{gaps:?}");
    }
    assert!(gaps[..40].iter().all(|&gap| gap < 300.1), "{gaps:?}");
    assert_eq!(sink.progress.failures(ServerError), 40);
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_down_for_a_week_costs_a_few_hundred_events_of_memory() {
    const WEEK: u64 = 7 * 24;
    // A try every 250 s makes 2,419 of them in a week.
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(repeat_n(refusal(Unreachable), 3000)));
    let sink = Running::start(&log, &receiver).await;
    for _ in 0..WEEK {
        log.append(Changed, 50);
        sleep(Duration::from_hours(1)).await;
    }
    assert!(receiver.taken().is_empty());
    assert!((1..=BATCH as u64).contains(&log.handed_out()), "{} are held", log.handed_out());
    assert_eq!(sink.progress.pending(), 50 * WEEK);
    sleep(Duration::from_hours(WEEK)).await;
    assert!(receiver.taken().into_iter().eq(1..=50 * WEEK), "all of them, in order");
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn success_begins_the_delays_anew() {
    let down = || Err(refusal(Unreachable));
    let (log, receiver) = (FakeLog::new(), Receiver::scripted([down(), down(), down(), Ok(()), down()]));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 2);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(receiver.taken(), [1, 2]);
    let gaps = seconds(&receiver.tries());
    assert!(gaps.len() == 5 && gaps[2] > 3.0 && gaps[4] < 1.3, "{gaps:?}");
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it() {
    let wait = Duration::from_secs(90);
    let throttled = Refusal { retry_after: Some(wait), ..refusal(Throttled) };
    let (log, receiver) = (FakeLog::new(), Receiver::refusing([throttled]));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 1);
    sleep(Duration::from_mins(3)).await;
    let gaps = seconds(&receiver.tries());
    assert!(gaps.len() == 1 && (90.0..90.1).contains(&gaps[0]), "{gaps:?}");
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_is_tried_five_times_and_parked() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(repeat_n(refusal(Refused), 5)));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 3);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(receiver.taken(), [2, 3]);
    assert_eq!(receiver.tries().iter().filter(|(_, sequence)| *sequence == 1).count(), 5);
    assert_eq!(log.parked(), [(1, "refused: as the test wants it".to_owned())]);
    assert_eq!(log.cursor_now(), Some(3));
    let progress = &sink.progress;
    assert_eq!((progress.parked(), progress.delivered(), progress.failures(Refused)), (1, 2, 5));
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn outages_between_refusals_do_not_count_as_refusals() {
    let script = [Refused, ServerError, Refused, Unreachable, Refused, Throttled, Refused].map(refusal);
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(script));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 1);
    sleep(Duration::from_mins(10)).await;
    assert_eq!((receiver.taken(), log.parked().len()), (vec![1], 0));
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_no_template_can_render_is_parked_at_once() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing([refusal(Template)]));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 2);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.taken(), [2]);
    assert_eq!(log.parked().len(), 1);
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn before_it_ends_it_delivers_what_is_there() {
    let (log, receiver) = (FakeLog::new(), Receiver::default());
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 500);
    sink.end().await;
    assert_eq!(receiver.taken().len(), 500);
    assert_eq!(log.cursor_now(), Some(500));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_a_receiver_that_is_down_is_tried_once_more_at_once() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(repeat_n(refusal(ServerError), 8)));
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 2);
    sleep(Duration::from_secs(45)).await;
    let (before, began) = (receiver.tries().len(), Instant::now());
    assert_eq!(before, 6, "at 0, 1, 3, 7, 15 and 31 s");
    sink.end().await;
    assert_eq!(receiver.tries().len(), before + 1);
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    assert_eq!(log.cursor_now(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_and_its_age_is_known() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(repeat_n(refusal(ServerError), 1000)));
    let sink = Running::start(&log, &receiver).await;
    log.append(FirstSeen, 10);
    log.append(Changed, 5);
    sleep(Duration::from_secs(1)).await;
    let now = SEEN.parse::<jiff::Timestamp>().unwrap() + Duration::from_secs(42);
    assert_eq!((sink.progress.pending(), sink.progress.lag(now)), (5, Duration::from_secs(42)));
    log.append(Changed, 5000);
    assert_eq!(sink.progress.pending(), 5005);
    sleep(Duration::from_mins(10)).await;
    assert_eq!(sink.progress.pending(), 5005);
    assert!(log.reads() <= 3, "it holds no more than a batch, and reads no more: {}", log.reads());
    sink.end().await;
}

/// Whatever fails, and whenever it dies: everything that is wanted is taken or parked, and in order but
/// for what is repeated after a death.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_however_often_it_dies() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let log = FakeLog::new();
        let script = (0..30).map(|_| refusal(rng.choice(RefusalReason::ALL).unwrap()));
        let receiver = Receiver::refusing(script.collect::<Vec<_>>());
        drop(Running::start(&log, &receiver).await);
        for _ in 0..rng.usize(1..6) {
            let sink = Running::start(&log, &receiver).await;
            log.append(if rng.bool() { Changed } else { FirstSeen }, rng.usize(0..400));
            log.set_readable(rng.u8(..) > 60);
            log.set_writable(rng.u8(..) > 60);
            sleep(Duration::from_millis(rng.u64(0..20_000))).await;
            drop(sink);
        }
        log.set_readable(true);
        log.set_writable(true);
        let sink = Running::start(&log, &receiver).await;
        log.append(Changed, 1);
        sleep(Duration::from_hours(3)).await;
        sink.end().await;

        let wanted = log.wanted(&On::default());
        let (taken, parked) = (receiver.taken(), log.parked());
        let mut seen: Vec<u64> =
            taken.iter().copied().chain(parked.iter().map(|(sequence, _)| *sequence)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, wanted, "seed {seed}");
        let tries = receiver.tries();
        let mut offered = HashSet::new();
        let first_offers =
            tries.iter().map(|&(_, sequence)| sequence).filter(|&sequence| offered.insert(sequence));
        assert_eq!(first_offers.collect::<Vec<_>>(), wanted, "seed {seed}");
        assert_eq!(log.cursor_now(), wanted.last().copied(), "seed {seed}");
    }
}
