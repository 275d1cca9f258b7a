//! When a sink saves its place in the log, and what it does while the store cannot be used.

use super::*;

#[tokio::test(start_paused = true)]
async fn while_much_is_delivered_the_place_is_saved_once_a_second() {
    let (log, receiver) = (FakeLog::new(), Receiver::default());
    let sink = Running::start(&log, &receiver).await;
    log.append(Changed, 2000);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(receiver.taken(), (1..=2000).collect::<Vec<_>>());
    let saves = log.saves();
    // 2,000 at 5 ms each take some ten seconds.
    assert!((9..=13).contains(&saves.len()), "{saves:?}");
    assert!(seconds(&saves).iter().all(|&gap| gap < 1.1), "{saves:?}");
    assert_eq!(log.cursor_now(), Some(2000));
    assert!(log.reads() < 25, "read {} times", log.reads());
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_over_is_saved_seldom_and_at_the_end() {
    let (log, receiver) = (FakeLog::new(), Receiver::default());
    let sink = Running::start(&log, &receiver).await;
    for _ in 0..300 {
        log.append(FirstSeen, 1);
        sleep(Duration::from_secs(1)).await;
    }
    let saves = log.saves();
    assert!((3..=5).contains(&saves.len()), "{saves:?}");
    assert_eq!(sink.progress.pending(), 0);
    sink.end().await;
    assert_eq!(log.cursor_now(), Some(300));
    assert_eq!(receiver.taken(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_written_does_not_stop_deliveries() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing([refusal(Template)]));
    let sink = Running::start(&log, &receiver).await;
    log.set_writable(false);
    log.append(Changed, 600);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(receiver.taken(), (2..=600).collect::<Vec<_>>());
    assert_eq!(log.cursor_now(), Some(0));
    log.set_writable(true);
    sleep(Duration::from_secs(16)).await;
    assert_eq!(log.cursor_now(), Some(600));
    assert_eq!(log.parked().len(), 1, "told once, when it could be");
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_is_waited_for() {
    let (log, receiver) = (FakeLog::new(), Receiver::default());
    let sink = Running::start(&log, &receiver).await;
    log.set_readable(false);
    log.append(Changed, 3);
    sleep(Duration::from_mins(10)).await;
    assert!(log.reads() < 60, "read {} times", log.reads());
    let now = SEEN.parse::<jiff::Timestamp>().unwrap() + Duration::from_mins(10);
    assert_eq!(sink.progress.pending(), 3);
    assert!(sink.progress.lag(now) > Duration::from_mins(9), "{:?}", sink.progress.lag(now));
    log.set_readable(true);
    sleep(Duration::from_secs(16)).await;
    assert_eq!(receiver.taken(), [1, 2, 3]);
    assert_eq!(sink.progress.lag(now), Duration::ZERO);
    sink.end().await;
}
