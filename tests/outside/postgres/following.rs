//! Following what others keep of the targets.

use regwatch::model::{Resource, Status};
use regwatch::store::{Batch, Changes, SavedState};

use super::*;
use crate::place::Place;
use crate::store::{at, commit, key, state};

fn known(since: i64) -> SavedState {
    state(&[(Resource::Account, Status::Active), (Resource::Iam, Status::Active)], since)
}

fn put(numbers: &[u64], since: i64) -> Batch {
    Batch { states: numbers.iter().map(|&number| (key(number), known(since))).collect(), ..Batch::default() }
}

/// What has changed, by the numbers of accounts: states with their last answers, and ends.
fn told(changes: &Changes) -> (Vec<(u64, Option<i64>)>, Vec<u64>) {
    let number = |key: &regwatch::store::TargetKey| key.account.to_string().parse().expect("it is a number");
    let states = changes.states.iter();
    let seconds = |state: &SavedState| state.last_success.map(|at| at.as_second());
    let states = states.map(|(key, state)| (number(key), seconds(state))).collect();
    (states, changes.ended.iter().map(number).collect())
}

#[tokio::test]
async fn each_change_is_told_once() {
    let place = Place::new().await;
    let (writer, reader) = (place.open().await, place.open().await);
    let first = reader.states_since(None).await.unwrap();
    assert!(first.is_whole);
    commit(&writer, put(&[1, 2, 3], 1)).await;
    let second = reader.states_since(Some(first.revision)).await.unwrap();
    assert!(!second.is_whole && second.revision > first.revision);
    assert_eq!(told(&second), (vec![(1, Some(1)), (2, Some(1)), (3, Some(1))], vec![]));
    assert!(second.states.iter().all(|(_, state)| *state == known(1)));
    let none = reader.states_since(Some(second.revision)).await.unwrap();
    assert_eq!(none, Changes { revision: second.revision, ..Changes::default() });

    commit(&writer, Batch { answered: vec![(key(2), at(7)), (key(1), at(0))], ..Batch::default() }).await;
    commit(&writer, Batch { ended: vec![key(3), key(9)], ..Batch::default() }).await;
    let third = reader.states_since(Some(second.revision)).await.unwrap();
    assert_eq!(told(&third), (vec![(2, Some(7))], vec![3, 9]));
    // It ends, and begins again.
    commit(&writer, put(&[3], 9)).await;
    let fourth = reader.states_since(Some(second.revision)).await.unwrap();
    assert_eq!(told(&fourth), (vec![(2, Some(7)), (3, Some(9))], vec![9]));
    let whole = reader.states_since(None).await.unwrap();
    assert_eq!(told(&whole), (vec![(1, Some(1)), (2, Some(7)), (3, Some(9))], vec![]));
}

#[tokio::test]
async fn who_was_away_for_too_long_is_told_everything() {
    use regwatch::clock::Clock;

    let place = Place::new().await;
    let store = place.open().await;
    commit(&store, put(&[1, 2], 1)).await;
    let before = store.states_since(None).await.unwrap().revision;
    commit(&store, Batch { ended: vec![key(1)], ..Batch::default() }).await;
    let after = store.states_since(Some(before)).await.unwrap();
    assert_eq!(told(&after), (vec![], vec![1]));
    place.run("UPDATE ended SET noted_at = noted_at - interval '2 days'").await;
    let sinks = tokio::sync::watch::Sender::new(Vec::new()).subscribe();
    let is_whole = async || store.states_since(Some(before)).await.unwrap().is_whole;
    tokio::select! {
        () = store.keep_house(Clock::starting_at(at(9)), &sinks, None, |_| {}) => unreachable!("it never ends"),
        () = until("what has ended is forgotten", is_whole) => {}
    }
    let whole = store.states_since(Some(before)).await.unwrap();
    assert_eq!(told(&whole), (vec![(2, Some(1))], vec![]));
    let none = store.states_since(Some(after.revision)).await.unwrap();
    assert!(!none.is_whole, "who has heard of it needs nothing");
    // A revision of another database, which was put in the place of this one.
    assert!(store.states_since(Some(whole.revision + 1)).await.unwrap().is_whole);
}
