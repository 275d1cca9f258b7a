//! A store that is copied to another place.

use regwatch::config;
use regwatch::model::{Member, ReplicaId, Roster};
use regwatch::store::{Copied, CopyError, Doing, Leases, OpenError, Replica, copy};
use tokio::sync::oneshot;

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Fills a store with a little of all that there is, and with so many events.
pub(crate) async fn fill(store: &Store, count: u32) {
    let mut events = events(count);
    events[0].transition.text = Some("a NUL \0, an escape \u{10ffff}0 and an ü".into());
    events[0].account = Arc::new(Account {
        id: account(7),
        name: "a \"name\"".into(),
        labels: BTreeMap::from([("team".to_owned(), "ops".to_owned())]),
    });
    let mut known = state(&[(Resource::Account, Status::RegistrationPending)], 3);
    known.details = Details::FleetWise(Box::new(FleetWiseDetails {
        role_arn: Some("arn:aws:iam::000000000007:role/x".into()),
        timestream_database_name: None,
        timestream_table_name: Some("".into()),
    }));
    let linked = GovCloudDetails { govcloud_account_id: "000000000009".into() };
    let global = TargetKey { account: account(7), probe: Probe::GovCloud, region: None };
    let states = vec![
        (key(7), known),
        (key(8), state(&[], 4)),
        (global, SavedState { details: Details::GovCloud(linked), ..state(&[], 5) }),
    ];
    let silences = vec![silence(7, 1, 2), silence(8, 1, 3)];
    let gates = vec![("fleetwise/000000000007/eu-central-1".to_owned(), Some(at(60)))];
    commit(store, Batch { states, events, silences, gates, ..Batch::default() }).await;
    store.advance("hook", 2, &[(1, "410 Gone".to_owned())], None).await.expect("the store can be used");
    let mut roster = Roster::default();
    roster.extend([(account(7), Member { name: "seven".into(), left_at: None })]);
    roster.extend([(account(8), Member { name: "eight".into(), left_at: Some(at(9)) })]);
    store.save_roster("fleet", at(8), &roster, None).await.expect("the store can be used");
}

pub(crate) async fn copied(from: &config::Store, to: &config::Store) -> Result<Copied, CopyError> {
    copy(from, to, |_| {}).await
}

/// Copies until a transaction of it has been written; `None` if it was interrupted then.
async fn interrupted(from: &config::Store, to: &config::Store) -> Option<Result<Copied, CopyError>> {
    let (stop, stopped) = oneshot::channel();
    let mut stop = Some(stop);
    let copying = copy(from, to, |progress| {
        if progress.doing == Doing::Copying {
            stop.take().map(|stop| stop.send(()));
        }
    });
    tokio::select! {
        biased;
        Ok(()) = stopped => None,
        copied = copying => Some(copied),
    }
}

/// Sees that two stores have the same in them, and lets go of both.
pub(crate) async fn assert_same(one: Store, other: Store) {
    assert_eq!(log(&one).await, log(&other).await);
    assert_eq!(*one.latest().borrow(), *other.latest().borrow());
    assert_eq!(one.states().await.expect("it can be read"), other.states().await.expect("it can be read"));
    assert_eq!(one.rosters().await.expect("it can be read"), other.rosters().await.expect("it can be read"));
    assert_eq!(
        one.gates(at(0)).await.expect("it can be read"),
        other.gates(at(0)).await.expect("it can be read")
    );
    assert_eq!(
        one.cursor("hook").await.expect("it can be read"),
        other.cursor("hook").await.expect("it can be read")
    );
    let accounts = [account(7), account(8)].into();
    assert_eq!(
        one.history(&accounts, at(0)).await.expect("it can be read"),
        other.history(&accounts, at(0)).await.expect("it can be read")
    );
    let parked = EventQuery { parked_by: Some("hook".to_owned()), ..EventQuery::after(0, 10) };
    assert_eq!(
        one.events(&parked).await.expect("it can be read"),
        other.events(&parked).await.expect("it can be read")
    );
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_copy_has_all_of_it_and_goes_on_with_the_next_number() {
    let (from, to) = (Place::new().await, Place::new().await);
    let store = from.open().await;
    fill(&store, 5).await;
    store.close().await;
    let told = copied(&from.settings, &to.settings).await.unwrap();
    assert!(!told.was_whole);
    assert_eq!(told.latest, 5);
    let rows: Vec<_> = told.tables.iter().map(|table| (table.table, table.to.rows)).collect();
    assert_eq!(
        rows,
        [
            ("targets", 3),
            ("resources", 1),
            ("events", 5),
            ("sinks", 1),
            ("parked", 1),
            ("silences", 2),
            ("organizations", 1),
            ("members", 2),
            ("gates", 1)
        ]
    );
    assert!(told.tables.iter().all(|table| table.from == table.to));
    let again = copied(&from.settings, &to.settings).await.unwrap();
    assert_eq!(again, Copied { was_whole: true, ..told });
    assert_same(from.open().await, to.open().await).await;
    let store = to.open().await;
    append(&store, vec![event(1, 90)]).await;
    assert_eq!(numbers(&store).await, [1, 2, 3, 4, 5, 6]);
    store.close().await;
    let gone_on = copied(&from.settings, &to.settings).await;
    assert!(matches!(gone_on, Err(CopyError::Occupied { .. })), "{gone_on:?}");
}

#[tokio::test]
async fn a_copy_that_is_interrupted_again_and_again_comes_to_the_same() {
    let (from, to) = (Place::new().await, Place::new().await);
    let store = from.open().await;
    fill(&store, 7000).await;
    store.close().await;
    let mut interruptions = 0;
    let told = loop {
        match interrupted(&from.settings, &to.settings).await {
            Some(told) => break told.unwrap(),
            None => interruptions += 1,
        }
        let early = Store::open(&to.settings).await.expect_err("it is not whole");
        assert!(matches!(early, OpenError::Unfinished { .. }), "{early}");
    };
    // A transaction for each table, and four for the events.
    assert_eq!(interruptions, 12);
    assert!(told.tables.iter().all(|table| table.from == table.to));
    assert_same(from.open().await, to.open().await).await;
}

#[tokio::test]
async fn what_the_source_has_changed_after_an_interruption_is_copied_too() {
    let (from, to) = (Place::new().await, Place::new().await);
    let store = from.open().await;
    fill(&store, 5).await;
    store.close().await;
    for _ in 0..4 {
        assert!(interrupted(&from.settings, &to.settings).await.is_none());
    }
    let store = from.open().await;
    let states = vec![(key(7), state(&[(Resource::Account, Status::RegistrationSuccess)], 20))];
    commit(&store, Batch { states, ended: vec![key(8)], events: vec![event(7, 20)], ..Batch::default() })
        .await;
    store.advance("hook", 6, &[(6, "404 Not Found".to_owned())], None).await.unwrap();
    store.close().await;
    copied(&from.settings, &to.settings).await.unwrap();
    assert_same(from.open().await, to.open().await).await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_and_left_as_it_is() {
    let (from, to, other) = (Place::new().await, Place::new().await, Place::new().await);
    for place in [&from, &other] {
        let store = place.open().await;
        fill(&store, 3).await;
        store.close().await;
    }
    let same = copied(&from.settings, &from.settings).await;
    assert!(matches!(same, Err(CopyError::Same { .. })), "{same:?}");
    let memory = config::Store::default();
    for (one, another) in [(&from.settings, &memory), (&memory, &to.settings)] {
        let refused = copied(one, another).await;
        assert!(matches!(refused, Err(CopyError::Memory)), "{refused:?}");
    }
    // Another store of the same size, whose events are others.
    let refused = copied(&from.settings, &other.settings).await;
    assert!(matches!(refused, Err(CopyError::Occupied { .. })), "{refused:?}");
    // A copy in the making is of one store, and none to copy from.
    assert!(interrupted(&from.settings, &to.settings).await.is_none());
    let refused = copied(&other.settings, &to.settings).await;
    assert!(matches!(refused, Err(CopyError::OfAnother { .. })), "{refused:?}");
    let third = Place::new().await;
    let refused = copied(&to.settings, &third.settings).await;
    assert!(matches!(refused, Err(CopyError::Open(OpenError::Unfinished { .. }))), "{refused:?}");
    assert!(Store::open_to_read(&third.settings).await.is_err(), "nothing was made");
}

#[tokio::test]
async fn nothing_is_copied_while_it_is_in_use() {
    let (from, to) = (Place::new().await, Place::new().await);
    let me = Replica { id: ReplicaId::random(), name: "one".into() };
    let store = from.open().await;
    fill(&store, 3).await;
    store.close().await;
    for place in [&from, &to] {
        let store = place.open().await;
        store.renew(&me, &[], &[], LONG).await.unwrap();
        let refused = copied(&from.settings, &to.settings).await.expect_err("it is in use");
        assert!(refused.to_string().contains(" is in use by the re"), "{refused}");
        store.leave(&me.id).await.unwrap();
        store.close().await;
    }
    assert_eq!(copied(&from.settings, &to.settings).await.unwrap().latest, 3);
}
