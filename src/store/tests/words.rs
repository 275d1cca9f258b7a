//! What another release has written.

use super::*;

#[tokio::test]
async fn a_word_of_another_release_names_its_event() {
    let store = in_memory().await;
    append(&store, events(2)).await;
    for (column, value) in [("kind", "'vanished'"), ("account", "'12'"), ("labels", "'['"), ("id", "'1'")] {
        let sql = format!("UPDATE events SET {column} = {value} WHERE sequence = 2");
        let before = format!("CREATE TABLE old AS SELECT {column} FROM events WHERE sequence = 2");
        store.sqlite().run(&before).await;
        store.sqlite().run(&sql).await;
        let error = store.events(&EventQuery::after(0, 100)).await.unwrap_err();
        let expected = format!("event 2 in the store has a `{column}` that this release does not know");
        assert_eq!(error.to_string(), expected);
        store
            .sqlite()
            .run(&format!("UPDATE events SET {column} = (SELECT * FROM old) WHERE sequence = 2"))
            .await;
        store.sqlite().run("DROP TABLE old").await;
    }
    assert_eq!(numbers(&store).await, [1, 2]);
}

#[tokio::test]
async fn a_word_of_another_release_names_its_state() {
    let place = Place::new();
    let store = place.open().await;
    let states = vec![(key(1), state(&[(Resource::Account, Status::RegistrationPending)], 1))];
    commit(&store, Batch { states, ..Batch::default() }).await;
    for sql in ["UPDATE resources SET status = 'PAUSED'", "UPDATE targets SET details = 'moon'"] {
        store.sqlite().run(sql).await;
        let column = if sql.contains("status") { "status" } else { "details" };
        let error = store.states().await.unwrap_err();
        let row = "the state of 000000000001/fleetwise/eu-central-1".to_owned();
        assert_eq!(error, StoreError::Unknown { row, column });
    }
}
