//! Two releases on one schema, while one takes the place of the other.

use regwatch::store::{Batch, Ledger, OpenError, SchemaStep};

use super::*;
use crate::place::Place;
use crate::store::{events, numbers};

/// The step of a later release. Whoever does not know it can go on.
const ADDS: SchemaStep = SchemaStep {
    what: "notes",
    usable_from: 1,
    sql: "ALTER TABLE events ADD COLUMN note text; CREATE TABLE notes (note text)",
};

/// One after it, which those who do not know the one before cannot go on with.
const CHANGES: SchemaStep = SchemaStep {
    what: "notes at last",
    usable_from: 2,
    sql: "ALTER TABLE notes ADD COLUMN at bigint NOT NULL",
};

fn release(steps: &[SchemaStep]) -> Vec<SchemaStep> {
    [SchemaStep::released(), steps].concat()
}

async fn open(place: &Place, steps: &[SchemaStep]) -> Result<Store, OpenError> {
    Store::open_at(&place.settings, &release(steps)).await
}

async fn refused(place: &Place, steps: &[SchemaStep]) -> String {
    open(place, steps).await.expect_err("it is refused").to_string()
}

fn at(place: &Place) -> String {
    format!("schema {} of PostgreSQL at 127.0.0.1:{} (database postgres)", place.schema(), place.server.port)
}

async fn append(store: &Store) {
    store
        .commit(Arc::new(vec![Batch { events: events(3), ..Batch::default() }]))
        .await
        .expect("the store can be used");
}

#[tokio::test]
async fn a_step_that_adds_lets_the_older_release_go_on_and_start() {
    let place = Place::new().await;
    let older = open(&place, &[]).await.unwrap();
    let me = replica("older");
    take(&older, &me, &[Lease::House], LONG).await;
    append(&older).await;
    let newer = open(&place, &[ADDS]).await.unwrap();
    append(&newer).await;
    append(&older).await;
    let again = open(&place, &[]).await.unwrap();
    append(&again).await;
    for store in [older, newer, again] {
        assert_eq!(numbers(&store).await, (1..=12).collect::<Vec<_>>());
    }
    open(&place, &[ADDS]).await.unwrap();
}

#[tokio::test]
async fn a_step_that_changes_waits_until_the_older_release_has_ended() {
    let place = Place::new().await;
    let older = open(&place, &[]).await.unwrap();
    let me = replica("regwatch-0");
    take(&older, &me, &[Lease::House], LONG).await;
    let expected = format!(
        "{} has to be brought to form 3, and the replica regwatch-0 knows form 1 alone; end every replica of \
         the older release first",
        at(&place)
    );
    assert_eq!(refused(&place, &[ADDS, CHANGES]).await, expected);
    append(&older).await;
    older.leave(&me.id).await.unwrap();
    append(&open(&place, &[ADDS, CHANGES]).await.unwrap()).await;

    let expected = format!(
        "{} was brought to form 3 by a newer release of regwatch, which releases from form 2 on can use; this \
         one knows form 1, and it was left as it is: run a newer release",
        at(&place)
    );
    assert_eq!(refused(&place, &[]).await, expected);
    append(&open(&place, &[ADDS]).await.unwrap()).await;
}

#[tokio::test]
async fn a_step_that_was_another_is_refused() {
    let place = Place::new().await;
    open(&place, &[ADDS]).await.unwrap();
    let other = SchemaStep { sql: "CREATE TABLE notes (note bytea)", ..ADDS };
    let expected = format!(
        "form 2 of {} is not the one that this release gives; it was left as it is: run the release that made \
         it, or name another in `store.postgres.schema`",
        at(&place)
    );
    assert_eq!(refused(&place, &[other]).await, expected);
}

#[tokio::test]
async fn a_step_that_fails_leaves_everything_as_it_was() {
    let place = Place::new().await;
    append(&open(&place, &[]).await.unwrap()).await;
    let broken = SchemaStep { sql: "CREATE TABLE notes (note text); SELECT 1 / 0", ..ADDS };
    let refused = refused(&place, &[broken]).await;
    assert!(refused.contains("cannot be opened"), "{refused}");
    append(&open(&place, &[ADDS]).await.unwrap()).await;
}
