//! Age and number of what is kept.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::*;
use regwatch::clock::Clock;

const DAY: i64 = 24 * 60 * 60;

/// Keeps house until a condition holds; tells how many undelivered entries were dropped.
pub(super) async fn keep_house(
    store: &Store,
    now: Timestamp,
    sinks: &[&str],
    until: impl AsyncFn(&Store) -> bool,
) -> u64 {
    let dropped = AtomicU64::new(0);
    let sinks = watch::Sender::new(sinks.iter().map(|&sink| sink.to_owned()).collect()).subscribe();
    let wait = async {
        while !until(store).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = store.keep_house(Clock::starting_at(now), &sinks, None, |count| {
            dropped.fetch_add(count, Ordering::Relaxed);
        }) => unreachable!("it never ends"),
        done = tokio::time::timeout(Duration::from_secs(90), wait) => done.expect("within 90 s"),
    }
    dropped.into_inner()
}

#[tokio::test]
async fn old_entries_go_once_every_sink_is_done_with_them() {
    let place = Place::new().await;
    let store = place.open().await;
    assert_eq!(store.cursor("slow").await.unwrap(), 0);
    // More than one batch of old ones, and two young ones.
    append(&store, events(2500)).await;
    append(&store, vec![event(1, 89 * DAY), event(1, 90 * DAY)]).await;
    store.advance("slow", 2100, &[(7, "410 Gone".into())], None).await.unwrap();
    store.advance("fast", 2502, &[], None).await.unwrap();
    store.advance("forgotten", 3, &[], None).await.unwrap();
    let now = at(100 * DAY);
    let dropped =
        keep_house(&store, now, &["slow", "fast"], async |store| numbers(store).await.len() == 402).await;
    assert_eq!(numbers(&store).await, (2101..=2502).collect::<Vec<_>>());
    assert_eq!(dropped, 0);
    let parked = EventQuery { parked_by: Some("slow".into()), ..EventQuery::after(0, 10) };
    assert_eq!(store.events(&parked).await.unwrap(), []);

    store.advance("slow", 2502, &[], None).await.unwrap();
    keep_house(&store, now, &["slow", "fast"], async |store| numbers(store).await == [2501, 2502]).await;
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let place = Place::new().await;
    let store = place.open().await;
    append(&store, events(10)).await;
    keep_house(&store, at(100 * DAY), &[], async |store| log(store).await.is_empty()).await;
    assert_eq!(*store.latest().borrow(), 10);
    assert_eq!(store.cursor("late").await.unwrap(), 10);
    store.close().await;
    let store = place.open().await;
    assert_eq!(*store.latest().borrow(), 10, "after a restart too");
    append(&store, vec![event(1, 1)]).await;
    assert_eq!(numbers(&store).await, [11]);
}

#[tokio::test]
async fn too_many_entries_lose_the_oldest_whoever_waits_for_them() {
    let mut place = Place::new().await;
    place.settings.max_events = 100;
    let store = place.open().await;
    store.cursor("slow").await.unwrap();
    append(&store, events(3100)).await;
    store.advance("slow", 500, &[], None).await.unwrap();
    store.advance("fast", 3100, &[], None).await.unwrap();
    let sinks = ["slow", "fast"];
    let dropped = keep_house(&store, at(1), &sinks, async |store| numbers(store).await.len() == 100).await;
    assert_eq!(numbers(&store).await, (3001..=3100).collect::<Vec<_>>());
    assert_eq!(dropped, 2500, "from 501 to 3000");
}

#[tokio::test]
async fn others_write_between_the_batches() {
    let mut place = Place::new().await;
    place.settings.max_events = 100;
    let store = place.open().await;
    append(&store, events(20_000)).await;
    let beside = store.clone();
    let written = AtomicU64::new(0);
    let write = async {
        loop {
            append(&beside, vec![event(2, 1)]).await;
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    let prune = keep_house(&store, at(1), &[], async |store| numbers(store).await[0] > 19_000);
    tokio::select! {
        () = write => {}
        _ = prune => {}
    }
    assert!(written.into_inner() > 5);
}
