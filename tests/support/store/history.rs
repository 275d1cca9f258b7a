//! What became of targets over time.

use super::bounds::keep_house;
use super::*;

async fn history(store: &Store, numbers: &[u64], since: i64) -> History {
    let accounts = numbers.iter().map(|&number| account(number)).collect();
    store.history(&accounts, at(since)).await.expect("the store can be used")
}

#[tokio::test]
async fn it_is_of_the_accounts_and_the_time_that_are_asked_for() {
    let place = Place::new().await;
    let store = place.open().await;
    // As a restart may find them: the later one is noted first.
    append(&store, vec![event(1, 30), event(1, 10), event(2, 20), event(1, 20)]).await;
    let silences = vec![silence(1, 1, 9), silence(1, 11, 19), silence(2, 1, 19)];
    commit(&store, Batch { silences, ..Batch::default() }).await;
    let found = history(&store, &[1], 15).await;
    assert_eq!(found.steps.iter().map(|step| step.at).collect::<Vec<_>>(), [at(20), at(30)]);
    assert_eq!(found.silences, [silence(1, 11, 19)]);
    assert_eq!(
        found.steps[0],
        Step {
            target: key(1),
            resource: Resource::Account,
            from: Some(Status::RegistrationPending),
            to: Status::RegistrationSuccess,
            previous_since: None,
            at: at(20),
            is_end: false,
        }
    );
    assert_eq!(history(&store, &[], 0).await, History::default());
    let both = history(&store, &[1, 2, 3], 0).await;
    assert_eq!((both.steps.len(), both.silences.len()), (4, 3));
}

#[tokio::test]
async fn a_silence_noted_again_is_one_and_lasts_to_its_later_end() {
    let place = Place::new().await;
    let store = place.open().await;
    for until in [20, 20, 30, 25] {
        commit(&store, Batch { silences: vec![silence(1, 10, until)], ..Batch::default() }).await;
    }
    assert_eq!(history(&store, &[1], 0).await.silences, [silence(1, 10, 30)]);
}

#[tokio::test]
async fn silences_grow_old_as_events_do() {
    const DAY: i64 = 24 * 60 * 60;
    let place = Place::new().await;
    let store = place.open().await;
    let silences = vec![silence(1, 1, 2), silence(1, 3, 91 * DAY)];
    commit(&store, Batch { silences, ..Batch::default() }).await;
    let young = [silence(1, 3, 91 * DAY)];
    let is_young = async |store: &Store| history(store, &[1], 0).await.silences == young;
    assert_eq!(keep_house(&store, at(100 * DAY), &[], is_young).await, 0);
}

#[tokio::test]
async fn the_log_is_read_from_its_end_too() {
    let place = Place::new().await;
    let store = place.open().await;
    append(&store, events(10)).await;
    let backwards = |before| EventQuery { before, newest_first: true, ..EventQuery::after(0, 3) };
    let numbers = async |query| -> Vec<u64> {
        store.events(&query).await.unwrap().iter().map(|entry| entry.sequence).collect()
    };
    assert_eq!(numbers(backwards(None)).await, [10, 9, 8]);
    assert_eq!(numbers(backwards(Some(8))).await, [7, 6, 5]);
    assert_eq!(numbers(backwards(Some(1))).await, [0_u64; 0]);
}
