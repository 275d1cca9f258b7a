//! Several stores on one schema at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use regwatch::model::{Resource, Status};
use regwatch::store::{Batch, EventQuery, Ledger};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::place::Place;
use crate::store::{at, event, key, log, numbers, silence, state};

/// Who writes, how often, and how many events each time.
const WRITERS: u64 = 12;
const WRITES: usize = 40;
const EVENTS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_ever_passes_over_an_entry() {
    let place = Place::new().await;
    let (one, other) = (place.open().await, place.open().await);
    let all = WRITES * EVENTS * usize::try_from(WRITERS).unwrap();
    let ended = Arc::new(AtomicUsize::new(0));
    let mut readers = JoinSet::new();
    for store in [&one, &other, &one, &other] {
        let (store, ended) = (store.clone(), Arc::clone(&ended));
        readers.spawn(async move {
            let mut seen: Vec<(u64, regwatch::model::EventId)> = Vec::new();
            while seen.len() < all {
                let is_last = ended.load(Ordering::SeqCst) == usize::try_from(WRITERS).unwrap();
                let after = seen.last().map_or(0, |(sequence, _)| *sequence);
                let found = store.events(&EventQuery::after(after, 97)).await.unwrap();
                assert!(!(is_last && found.is_empty()), "{} of {all} were seen", seen.len());
                seen.extend(found.into_iter().map(|entry| (entry.sequence, entry.event.id)));
            }
            seen
        });
    }
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let store = if number % 2 == 0 { one.clone() } else { other.clone() };
        let ended = Arc::clone(&ended);
        writers.spawn(async move {
            let mut written = Vec::new();
            for second in 0..WRITES {
                let second = i64::try_from(second).unwrap();
                let events: Vec<_> = (0..EVENTS).map(|_| event(number, second)).collect();
                written.extend(events.iter().map(|event| event.id));
                let batches = Arc::new(vec![Batch { events, ..Batch::default() }]);
                // As after a write whose outcome nobody told.
                store.commit(Arc::clone(&batches)).await.unwrap();
                if second % 7 == 0 {
                    store.commit(batches).await.unwrap();
                }
            }
            ended.fetch_add(1, Ordering::SeqCst);
            written
        });
    }
    let written: Vec<Vec<_>> = writers.join_all().await;
    let expected: BTreeSet<_> = written.iter().flatten().copied().collect();
    assert_eq!(expected.len(), all);
    for seen in readers.join_all().await {
        let sequences: Vec<_> = seen.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, (1..=all as u64).collect::<Vec<_>>(), "no number is left out");
        assert_eq!(
            seen.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>(),
            expected,
            "none twice, none lost"
        );
        for mine in &written {
            let order: Vec<_> = seen.iter().map(|(_, id)| *id).filter(|id| mine.contains(id)).collect();
            assert_eq!(order, *mine, "what one has written is in its order");
        }
    }
}

#[tokio::test]
async fn thousands_of_rows_are_one_write() {
    // More than two statements take.
    const MANY: u64 = 12_000;
    let place = Place::new().await;
    let store = place.open().await;
    let three = [Resource::Account, Resource::Iam, Resource::Timestream].map(|r| (r, Status::Active));
    let states: Vec<_> = (1..=MANY).map(|number| (key(number), state(&three, 1))).collect();
    let batch = Batch {
        states: states.clone(),
        events: (1..=MANY).map(|number| event(number, 1)).collect(),
        silences: (1..=MANY).map(|number| silence(number, 1, 2)).collect(),
        ..Batch::default()
    };
    let answered = (1..=MANY).map(|number| (key(number), at(2))).collect();
    let ended = (1..=MANY).map(key).collect();
    let batches = [
        ("new", batch.clone()),
        ("the same again", batch),
        ("answered", Batch { answered, ..Batch::default() }),
        ("ended", Batch { ended, ..Batch::default() }),
    ];
    for (what, batch) in batches {
        let began = Instant::now();
        store.commit(Arc::new(vec![batch])).await.unwrap();
        println!("{MANY} targets, {what}: {} ms", began.elapsed().as_millis());
        let found = store.states().await.unwrap();
        match what {
            "ended" => assert_eq!(found, []),
            "answered" => assert!(found.iter().all(|(_, state)| state.last_success == Some(at(2)))),
            _ => assert_eq!(found, states),
        }
    }
    let accounts: Vec<_> = log(&store).await.into_iter().map(|entry| entry.event.account.id).collect();
    assert_eq!(
        accounts,
        (1..=MANY).map(crate::store::account).collect::<Vec<_>>(),
        "in the order of the batch"
    );
}

#[tokio::test]
async fn one_is_told_of_what_another_writes() {
    let place = Place::new().await;
    let (one, other) = (place.open().await, place.open().await);
    let mut latest = other.latest();
    let hears = async {
        tokio::time::timeout(PATIENCE, latest.wait_for(|latest| *latest == 3)).await.unwrap().unwrap();
    };
    let writes = async {
        for second in 1..=3 {
            let events = vec![event(1, second)];
            one.commit(Arc::new(vec![Batch { events, ..Batch::default() }])).await.unwrap();
        }
        assert_eq!(*one.latest().borrow(), 3, "of its own at once");
        std::future::pending().await
    };
    tokio::select! {
        () = hears => {}
        () = other.follow() => unreachable!("it never ends"),
        () = writes => {}
    }
    assert_eq!(numbers(&other).await, [1, 2, 3]);
}

#[tokio::test]
async fn many_may_make_the_schema_at_once() {
    let place = Place::new().await;
    let open = (0..8).map(|_| place.open());
    let stores = futures_util::future::join_all(open).await;
    for (store, second) in stores.iter().zip(1..) {
        let events = vec![event(1, second)];
        store.commit(Arc::new(vec![Batch { events, ..Batch::default() }])).await.unwrap();
    }
    assert_eq!(numbers(&stores[7]).await, (1..=8).collect::<Vec<_>>());
}
