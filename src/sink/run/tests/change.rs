//! A sink that goes on with another receiver, or with none.

use super::*;

#[tokio::test(start_paused = true)]
async fn another_receiver_gets_at_once_what_the_one_before_did_not_take() {
    let (log, first, second) = (FakeLog::new(), Receiver::refusing(failing()), Receiver::default());
    let sink = Running::start(&log, &first).await;
    log.append(Changed, 3);
    sleep(Duration::from_mins(20)).await;
    let changed_at = Instant::now();
    sink.changes.send((On::default(), second.clone())).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(second.taken(), [1, 2, 3]);
    assert!(second.tries()[0].0 - changed_at < Duration::from_millis(10), "the backoff was for another");
    assert_eq!((first.taken(), sink.progress.delivered()), (vec![], 3));
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_under_way_does_not_hold_up_the_change() {
    let (log, first, second) = (FakeLog::new(), Receiver::hanging(), Receiver::default());
    let sink = Running::start(&log, &first).await;
    log.append(Changed, 1);
    sleep(Duration::from_secs(5)).await;
    sink.changes.send((On::default(), second.clone())).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(second.taken(), [1]);
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_changes_for_what_waits_and_not_for_what_was_passed_over() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing(failing()));
    let sink = Running::start(&log, &receiver).await;
    log.append(FirstSeen, 2);
    log.append(Changed, 1);
    log.append(FirstSeen, 2);
    sleep(Duration::from_secs(2)).await;
    let second = Receiver::default();
    sink.changes.send((On::everything(), second.clone())).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(second.taken(), [3, 4, 5]);
    sink.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dismissed_ends_at_once_and_saves_its_place() {
    let (log, receiver) = (FakeLog::new(), Receiver::refusing([]));
    let Running { changes, mut task, .. } = Running::start(&log, &receiver).await;
    log.append(Changed, 2);
    sleep(Duration::from_millis(7)).await;
    drop(changes);
    let began = Instant::now();
    task.join_next().await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_millis(10));
    assert_eq!((receiver.taken(), log.cursor_now()), (vec![1], Some(1)));
}

/// A receiver that has been down for long.
fn failing() -> Vec<Refusal> {
    repeat_n(refusal(ServerError), 100).collect()
}
