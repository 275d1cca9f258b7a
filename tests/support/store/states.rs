//! The states of targets.

use super::*;

const PENDING: Status = Status::RegistrationPending;
const SUCCESS: Status = Status::RegistrationSuccess;

#[tokio::test]
async fn the_last_state_of_a_target_is_kept_with_all_of_its_parts() {
    let place = Place::new().await;
    let store = place.open().await;
    let mut fleetwise = state(&[(Resource::Account, Status::Unknown), (Resource::Iam, SUCCESS)], 7);
    let [first, second] =
        [Some("REGISTRATION_PAUSED"), Some("it's \"late\"")].map(|words| words.map(Into::into));
    fleetwise.resources[0].reading =
        ResourceReading::new(Resource::Account, Status::Unknown).with_words(first, None);
    fleetwise.resources[1].reading = ResourceReading::new(Resource::Iam, SUCCESS).with_words(None, second);
    fleetwise.resources[1].since = "2024-02-29T23:59:59.123456789Z".parse().unwrap();
    fleetwise.created_at = Some(at(-5));
    fleetwise.modified_at = Some(at(6));
    fleetwise.details = Details::FleetWise(Box::new(FleetWiseDetails {
        role_arn: Some("arn:aws:iam::000000000001:role/timestream".into()),
        timestream_database_name: None,
        timestream_table_name: Some("table".into()),
    }));
    let mut bare = state(&[], 8);
    bare.details = Details::FleetWise(Box::default());
    bare.last_success = None;
    let mut govcloud = state(&[(Resource::GovCloudAccount, Status::Active)], 9);
    govcloud.details = Details::GovCloud(GovCloudDetails { govcloud_account_id: "000000000009".into() });
    let global = TargetKey { probe: Probe::GovCloud, region: None, ..key(1) };
    let states = vec![(key(1), fleetwise), (global, govcloud), (key(2), bare)];

    commit(&store, Batch { states: states.clone(), ..Batch::default() }).await;
    assert_eq!(store.states().await.unwrap(), states);
    store.close().await;
    assert_eq!(place.open().await.states().await.unwrap(), states);
}

#[tokio::test]
async fn a_state_takes_the_place_of_the_one_before() {
    let place = Place::new().await;
    let store = place.open().await;
    let before = state(&[(Resource::Account, PENDING), (Resource::Iam, PENDING)], 1);
    let now = state(&[(Resource::Account, SUCCESS)], 2);
    let other = state(&[(Resource::Account, PENDING)], 1);
    commit(&store, Batch { states: vec![(key(1), before), (key(2), other.clone())], ..Batch::default() })
        .await;
    commit(
        &store,
        Batch { states: vec![(key(1), other.clone()), (key(1), now.clone())], ..Batch::default() },
    )
    .await;
    assert_eq!(store.states().await.unwrap(), [(key(1), now), (key(2), other)]);
}

#[tokio::test]
async fn an_answer_moves_the_last_success_forwards_only() {
    let place = Place::new().await;
    let store = place.open().await;
    let known = state(&[(Resource::Account, PENDING)], 10);
    let never = SavedState { last_success: None, ..known.clone() };
    let states = vec![(key(1), known.clone()), (key(2), known), (key(3), never)];
    commit(&store, Batch { states, ..Batch::default() }).await;
    let answered = vec![
        (key(1), at(20)),
        (key(1), at(15)),
        (key(2), at(5)),
        (key(3), at(5)),
        (key(4), at(5)), // nothing is known of it
    ];
    commit(&store, Batch { answered, ..Batch::default() }).await;
    let seen: Vec<_> =
        store.states().await.unwrap().into_iter().map(|(key, state)| (key, state.last_success)).collect();
    assert_eq!(seen, [(key(1), Some(at(20))), (key(2), Some(at(10))), (key(3), Some(at(5)))]);
}

#[tokio::test]
async fn more_than_one_statement_takes_are_written() {
    let place = Place::new().await;
    let store = place.open().await;
    let resources = [(Resource::Account, PENDING), (Resource::Iam, SUCCESS), (Resource::Timestream, SUCCESS)];
    let states: Vec<_> = (1..=1234).map(|number| (key(number), state(&resources, 1))).collect();
    let events: Vec<_> = (1..=1234).map(|number| event(number, 1)).collect();
    commit(&store, Batch { states: states.clone(), events, ..Batch::default() }).await;
    let answered = states.iter().map(|(key, _)| (key.clone(), at(2))).collect();
    commit(&store, Batch { answered, ..Batch::default() }).await;
    let found = store.states().await.unwrap();
    assert_eq!(found.len(), 1234);
    assert!(found.iter().all(|(_, state)| state.resources.len() == 3 && state.last_success == Some(at(2))));
    let accounts: Vec<_> = log(&store).await.iter().map(|entry| entry.event.account.id).collect();
    assert_eq!(accounts, (1..=1234).map(account).collect::<Vec<_>>(), "in the order of the batch");
}
