//! What is kept in memory alone.

use super::*;

#[tokio::test]
async fn entries_are_numbered_and_told_of() {
    let store = in_memory().await;
    let latest = store.latest();
    append(&store, events(3)).await;
    assert_eq!(*latest.borrow(), 3);
    assert_eq!(numbers(&store).await, [1, 2, 3]);
}

#[tokio::test]
async fn no_states_are_kept_in_memory() {
    let store = in_memory().await;
    let states = vec![(key(1), state(&[(Resource::Account, Status::RegistrationPending)], 1))];
    commit(&store, Batch { states, ..Batch::default() }).await;
    assert_eq!(store.states().await.unwrap(), []);
}
