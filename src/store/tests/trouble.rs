//! A file that cannot be written for a while: nothing is lost, nothing is doubled, and the first write
//! after it succeeds.

use std::task::Poll;

use sqlx::{ConnectOptions as _, Connection as _};

use super::*;

fn full_batch() -> Batch {
    Batch {
        states: (1..=2000)
            .map(|number| (key(number), state(&[(Resource::Account, Status::Active)], 1)))
            .collect(),
        events: events(2000),
        silences: (1..=2000).map(|number| silence(number, 1, 2)).collect(),
        ..Batch::default()
    }
}

/// Writes a batch in vain, ends the trouble, and writes it again.
async fn recovers(store: &Store, end: impl AsyncFnOnce()) {
    let latest = store.latest();
    let before = log(store).await;
    let batch = Arc::new(vec![full_batch()]);
    let error = store.commit(Arc::clone(&batch)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    assert_eq!(log(store).await, before, "all or nothing");
    assert_eq!(store.states().await.unwrap(), []);
    assert_eq!(*latest.borrow(), before.len() as u64);
    end().await;
    store.commit(Arc::clone(&batch)).await.unwrap();
    let found: Vec<_> = log(store).await.into_iter().skip(before.len()).map(|entry| entry.event).collect();
    assert_eq!(found, batch[0].events);
    assert_eq!(store.states().await.unwrap(), batch[0].states);
    assert_eq!(*latest.borrow(), before.len() as u64 + 2000);
    store.commit(batch).await.unwrap();
    assert_eq!(*latest.borrow(), before.len() as u64 + 2000, "the repeat adds nothing");
}

/// How often there was what.
fn counted(store: &Store) -> BTreeMap<Trouble, u64> {
    let counts = Trouble::ALL.map(|trouble| (trouble, store.troubles().of(trouble)));
    counts.into_iter().filter(|(_, times)| *times > 0).collect()
}

#[tokio::test]
async fn whatever_fails_is_counted_by_its_reason() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, vec![event(9, 1)]).await;
    assert_eq!(counted(&store), BTreeMap::new());
    store.sqlite().run("PRAGMA query_only = ON").await;
    for _ in 0..2 {
        store.clone().commit(Arc::new(vec![full_batch()])).await.unwrap_err();
    }
    store.advance("log", 1, &[], None).await.unwrap_err();
    store.note_listing("fleet", Timestamp::UNIX_EPOCH, None).await.unwrap_err();
    assert_eq!(counted(&store), [(Trouble::ReadOnly, 4)].into());
    store.sqlite().run("PRAGMA query_only = OFF").await;
    store.sqlite().run("UPDATE events SET kind = 'vanished'").await;
    store.events(&EventQuery::after(0, 9)).await.unwrap_err();
    assert_eq!(counted(&store), [(Trouble::ReadOnly, 4), (Trouble::UnknownRow, 1)].into());
}

#[tokio::test]
async fn a_full_disk() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, vec![event(9, 1)]).await;
    // Below the size that it has, which SQLite takes for its size now.
    store.sqlite().run("PRAGMA max_page_count = 1").await;
    recovers(&store, async || store.sqlite().run("PRAGMA max_page_count = 1000000").await).await;
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself() {
    let place = Place::new();
    let store = place.open().await;
    store.sqlite().spoil().await;
    append(&store, events(1)).await;
    assert_eq!(numbers(&store).await, [1]);
}

#[tokio::test]
async fn a_lock_of_another_process() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, vec![event(9, 1)]).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut other = options.connect().await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    recovers(&store, async || held.rollback().await.unwrap()).await;
}

#[tokio::test]
async fn a_file_that_turns_read_only() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, vec![event(9, 1)]).await;
    store.sqlite().run("PRAGMA query_only = ON").await;
    recovers(&store, async || store.sqlite().run("PRAGMA query_only = OFF").await).await;
}

#[tokio::test]
async fn what_is_given_up_half_way_does_no_harm() {
    let place = Place::new();
    for store in [in_memory().await, place.open().await] {
        let batch = Arc::new(vec![full_batch()]);
        let mut cut = 0;
        for steps in 0.. {
            // Each time it goes one step further before it is dropped.
            let done = take_steps(steps, store.commit(Arc::clone(&batch))).await;
            take_steps(steps, log(&store)).await;
            let found = log(&store).await.len();
            assert!(found == 0 || found == 2000, "{found} of 2000 events");
            if let Some(outcome) = done {
                outcome.unwrap();
                break;
            }
            cut += 1;
        }
        assert!(cut > 3, "it was cut off {cut} times");
        store.commit(batch).await.unwrap();
        assert_eq!(numbers(&store).await, (1..=2000).collect::<Vec<_>>());
    }
}

/// Polls a future so often, and drops it.
async fn take_steps<T>(mut steps: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if steps == 0 {
            return Poll::Ready(None);
        }
        steps -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn old_entries_that_cannot_be_dropped_are_dropped_later() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, events(10)).await;
    store.sqlite().run("PRAGMA query_only = ON").await;
    let sinks = [];
    let now = at(100 * 24 * 60 * 60);
    let swept = store.sweep(now, &sinks, None, &|_| {}).await;
    assert!(matches!(swept, Err(StoreError::Unusable { .. })), "{swept:?}");
    store.sqlite().run("PRAGMA query_only = OFF").await;
    store.sweep(now, &sinks, None, &|_| {}).await.unwrap();
    assert_eq!(log(&store).await, []);
}
