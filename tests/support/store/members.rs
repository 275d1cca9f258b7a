//! Who belongs to each organization.

use super::*;
use regwatch::model::{Member, Roster};

fn roster(members: &[(u64, Option<i64>)]) -> Roster {
    let mut roster = Roster::default();
    roster.extend(members.iter().map(|&(number, left_at)| {
        let name = format!("name-{number}").into();
        (account(number), Member { name, left_at: left_at.map(at) })
    }));
    roster
}

async fn kept(store: &Store) -> Vec<(String, i64, Roster)> {
    let rosters = store.rosters().await.expect("the store can be used").into_iter();
    rosters.map(|(name, saved)| (name.to_string(), saved.listed_at.as_second(), saved.roster)).collect()
}

#[tokio::test]
async fn what_was_listed_last_is_kept_of_each() {
    let place = Place::new().await;
    let store = place.open().await;
    assert_eq!(kept(&store).await, []);
    let many: Vec<_> = (1..=1234).map(|number| (number, (number % 7 == 0).then_some(5))).collect();
    store.save_roster("fleet", at(10), &roster(&many), None).await.unwrap();
    store.save_roster("lab", at(11), &Roster::default(), None).await.unwrap();
    store.note_listing("lab", at(20), None).await.unwrap();
    store.close().await;
    let store = place.open().await;
    let expected = [("fleet".to_owned(), 10, roster(&many)), ("lab".to_owned(), 20, Roster::default())];
    assert_eq!(kept(&store).await, expected);
    store.save_roster("fleet", at(30), &roster(&[(1, None), (3, Some(25))]), None).await.unwrap();
    assert_eq!(kept(&store).await[0], ("fleet".to_owned(), 30, roster(&[(1, None), (3, Some(25))])));
    store.close().await;
}

#[tokio::test]
async fn one_that_has_left_is_remembered_until_its_state_has_ended() {
    let place = Place::new().await;
    let store = place.open().await;
    let active = || state(&[(Resource::Account, Status::RegistrationSuccess)], 1);
    commit(&store, Batch { states: vec![(key(1), active()), (key(2), active())], ..Batch::default() }).await;
    store
        .save_roster("fleet", at(10), &roster(&[(1, Some(9)), (2, None), (3, Some(9))]), None)
        .await
        .unwrap();
    // The grace is over, and its end is not written yet.
    store.save_roster("fleet", at(20), &roster(&[(2, None)]), None).await.unwrap();
    assert_eq!(kept(&store).await[0].2, roster(&[(1, Some(9)), (2, None)]), "nothing was known of the third");
    commit(&store, Batch { ended: vec![key(1)], ..Batch::default() }).await;
    let states: Vec<_> = store.states().await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(states, [key(2)]);
    store.save_roster("fleet", at(30), &roster(&[(2, None)]), None).await.unwrap();
    assert_eq!(kept(&store).await[0].2, roster(&[(2, None)]));
    store.close().await;
}

#[tokio::test]
async fn what_ends_and_comes_back_in_one_batch_is_there() {
    let place = Place::new().await;
    let store = place.open().await;
    let with = |status| (key(1), state(&[(Resource::Account, status)], 1));
    commit(&store, Batch { states: vec![with(Status::RegistrationFailure)], ..Batch::default() }).await;
    let again = with(Status::RegistrationSuccess);
    let batch = Batch { ended: vec![key(1)], states: vec![again.clone()], ..Batch::default() };
    commit(&store, batch).await;
    assert_eq!(store.states().await.unwrap(), [again]);
    store.close().await;
}
