//! Until when nothing may be sent in quota scopes.

use super::*;

async fn note(store: &Store, gates: &[(&str, Option<i64>)]) {
    let gates = gates.iter().map(|&(scope, until)| (scope.to_owned(), until.map(at))).collect();
    commit(store, Batch { gates, ..Batch::default() }).await;
}

async fn shut(store: &Store, now: i64) -> Vec<(String, i64)> {
    let gates = store.gates(at(now)).await.expect("the store can be used").into_iter();
    gates.map(|(scope, until)| (scope, until.as_second())).collect()
}

#[tokio::test]
async fn the_last_that_was_noted_holds_until_it_has_passed() {
    let place = Place::new().await;
    let store = place.open().await;
    assert_eq!(shut(&store, 0).await, []);
    note(&store, &[("a", Some(10)), ("b", Some(20)), ("c", Some(30)), ("a", Some(12))]).await;
    note(&store, &[("c", None), ("never", None), ("b", Some(15))]).await;
    store.close().await;
    let store = place.open().await;
    assert_eq!(shut(&store, 11).await, [("a".to_owned(), 12), ("b".to_owned(), 15)]);
    assert_eq!(shut(&store, 12).await, [("b".to_owned(), 15)]);
    assert_eq!(shut(&store, 15).await, []);
}
