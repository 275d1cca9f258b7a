//! The event log and its cursors.

use regwatch::store::Committed;

use super::*;

#[tokio::test]
async fn entries_are_numbered_from_1_and_told_of_once_durable() {
    let place = Place::new().await;
    let store = place.open().await;
    let latest = store.latest();
    assert_eq!(*latest.borrow(), 0);
    let events = events(3);
    append(&store, events.clone()).await;
    assert_eq!(*latest.borrow(), 3);
    let expected: Vec<_> = (1..).zip(events).map(|(sequence, event)| Entry { sequence, event }).collect();
    assert_eq!(log(&store).await, expected);
    assert_eq!(store.events(&EventQuery::after(1, 1)).await.unwrap(), expected[1..2]);
    assert_eq!(store.events(&EventQuery::after(u64::MAX, 1)).await.unwrap(), []);
}

#[tokio::test]
async fn a_batch_that_is_repeated_with_more_adds_only_what_is_new() {
    let place = Place::new().await;
    let store = place.open().await;
    let events = events(5);
    append(&store, events[..2].to_vec()).await;
    append(&store, events[..2].to_vec()).await;
    assert_eq!(*store.latest().borrow(), 2, "nothing was added");
    append(&store, events.clone()).await;
    let expected: Vec<_> = (1..).zip(events).map(|(sequence, event)| Entry { sequence, event }).collect();
    assert_eq!(log(&store).await, expected, "in order, and no number is left out");
}

#[tokio::test]
async fn a_query_finds_what_each_of_its_conditions_wants() {
    let place = Place::new().await;
    let store = place.open().await;
    let mut events = events(6);
    events[0].account = Arc::new(Account { id: account(2), name: "other".into(), labels: BTreeMap::new() });
    events[1].probe = Probe::GovCloud;
    events[1].region = None;
    events[2].region = Some(Region::new("us-east-1"));
    events[3].transition.resource = Resource::Iam;
    events[4].transition.kind = TransitionKind::FirstSeen;
    events[5].transition.to = Status::RegistrationFailure;
    append(&store, events).await;
    store.advance("hook", 6, &[(2, "410 Gone".into()), (4, "404 Not Found".into())], None).await.unwrap();
    store.advance("other", 6, &[(3, "410 Gone".into())], None).await.unwrap();

    let all = EventQuery::after(0, 100);
    let cases = [
        (EventQuery { accounts: [account(2)].into(), ..all.clone() }, vec![1]),
        (EventQuery { accounts: [account(1), account(2)].into(), after: 4, ..all.clone() }, vec![5, 6]),
        (EventQuery { probes: [Probe::GovCloud].into(), ..all.clone() }, vec![2]),
        (EventQuery { regions: [Region::new("us-east-1")].into(), ..all.clone() }, vec![3]),
        (EventQuery { resources: [Resource::Iam].into(), ..all.clone() }, vec![4]),
        (EventQuery { kinds: [TransitionKind::FirstSeen].into(), ..all.clone() }, vec![5]),
        (EventQuery { to: [Status::RegistrationFailure].into(), ..all.clone() }, vec![6]),
        (EventQuery { since: Some(at(5)), ..all.clone() }, vec![5, 6]),
        (EventQuery { since: Some(at(7)), ..all.clone() }, vec![]),
        (EventQuery { since: Some(at(3)), limit: 2, ..all.clone() }, vec![3, 4]),
        (EventQuery { parked_by: Some("hook".into()), ..all.clone() }, vec![2, 4]),
        (
            EventQuery { parked_by: Some("hook".into()), probes: [Probe::GovCloud].into(), ..all.clone() },
            vec![2],
        ),
        (EventQuery { parked_by: Some("none".into()), ..all.clone() }, vec![]),
        (all, vec![1, 2, 3, 4, 5, 6]),
    ];
    for (query, expected) in cases {
        let found = store.events(&query).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), expected, "{query:?}");
    }
}

#[tokio::test]
async fn a_sink_begins_after_what_was_there_and_never_goes_back() {
    let place = Place::new().await;
    let store = place.open().await;
    assert_eq!(store.cursor("first").await.unwrap(), 0, "a new log");
    append(&store, events(5)).await;
    assert_eq!(store.cursor("first").await.unwrap(), 0);
    assert_eq!(store.cursor("late").await.unwrap(), 5);
    store.advance("first", 3, &[], None).await.unwrap();
    store.advance("first", 2, &[], None).await.unwrap();
    assert_eq!(store.cursor("first").await.unwrap(), 3);
    store.close().await;
    assert_eq!(place.open().await.cursor("first").await.unwrap(), 3);
}

#[tokio::test]
async fn what_is_parked_twice_or_gone_is_no_mistake() {
    let place = Place::new().await;
    let store = place.open().await;
    append(&store, events(1)).await;
    let parked = [(1, "410 Gone".to_owned()), (7, "410 Gone".to_owned())];
    store.advance("hook", 1, &parked, None).await.unwrap();
    store.advance("hook", 1, &parked, None).await.unwrap();
    let query = EventQuery { parked_by: Some("hook".into()), ..EventQuery::after(0, 100) };
    assert_eq!(store.events(&query).await.unwrap().len(), 1);
}

#[tokio::test]
async fn batches_of_one_transaction_are_as_one() {
    let place = Place::new().await;
    let store = place.open().await;
    let mut events = events(4);
    events.insert(2, events[0].clone());
    let active = state(&[(Resource::Account, Status::Active)], 1);
    let batches = [&events[..2], &events[2..]].map(|events| Batch {
        states: vec![(key(events.len() as u64), active.clone())],
        events: events.to_vec(),
        ..Batch::default()
    });
    let committed = store.commit(Arc::new(batches.to_vec())).await.unwrap();
    assert_eq!(committed.fenced, []);
    assert_eq!(*store.latest().borrow(), 4, "the one that was there twice is one");
    let ids: Vec<_> = log(&store).await.iter().map(|entry| entry.event.id).collect();
    assert_eq!(ids, [0, 1, 3, 4].map(|index: usize| events[index].id));
    let kept: Vec<_> = store.states().await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(kept, [key(2), key(3)]);
    assert_eq!(store.commit(Arc::default()).await.unwrap(), Committed::default(), "nothing at all");
}

#[tokio::test]
async fn any_text_comes_back_as_it_was() {
    let place = Place::new().await;
    let store = place.open().await;
    let text = "a\0b\u{10ffff}0\u{10ffff}\n'\"\\%_{NULL,}ü\u{1f600}";
    let mut event = event(1, 1);
    event.account = Arc::new(Account {
        id: account(1),
        name: text.into(),
        labels: BTreeMap::from([("team".to_owned(), text.to_owned())]),
    });
    event.transition.text = Some(text.into());
    event.transition.error_message = Some(text.into());
    event.role_arn = Some(text.into());
    append(&store, vec![event.clone()]).await;
    assert_eq!(log(&store).await, [Entry { sequence: 1, event }]);
    store.advance(text, 1, &[(1, text.to_owned())], None).await.unwrap();
    assert_eq!(store.cursor(text).await.unwrap(), 1);
    let parked = EventQuery { parked_by: Some(text.to_owned()), ..EventQuery::after(0, 10) };
    assert_eq!(store.events(&parked).await.unwrap().len(), 1);
}
