//! What holds for every event, and for every sequence of writes, repeats and restarts.

use proptest::prelude::*;
use proptest::{collection::btree_map, collection::vec, option, sample};

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_committed_is_read(states in states(), events in vec(any_event(), 0..40)) {
        block_on(async {
            let place = Place::new().await;
            let store = place.open().await;
            let states: Vec<_> = states.into_iter().collect();
            commit(&store, Batch { states: states.clone(), events: events.clone(), ..Batch::default() }).await;
            assert_eq!(store.states().await.unwrap(), states);
            let found: Vec<_> = log(&store).await.into_iter().map(|entry| entry.event).collect();
            assert_eq!(found, events);
        });
    }

    #[test]
    fn no_event_is_doubled_or_lost(steps in vec(step(), 1..30)) {
        block_on(async {
            let place = Place::new().await;
            let mut store = place.open().await;
            let (mut written, mut unsure) = (Vec::new(), Vec::new());
            for (second, step) in (1..).zip(steps) {
                match step {
                    Step::Commit(count) => {
                        unsure = (0..count).map(|number| event(number, second)).collect();
                        append(&store, unsure.clone()).await;
                        written.extend(unsure.clone());
                    }
                    Step::RepeatWithMore(count) => {
                        let more: Vec<_> = (0..count).map(|number| event(number, second)).collect();
                        unsure.extend(more.clone());
                        append(&store, unsure.clone()).await;
                        written.extend(more);
                    }
                    Step::Close => {
                        store.close().await;
                        store = place.open().await;
                    }
                    Step::Crash => {
                        drop(store);
                        store = place.open().await;
                    }
                }
                assert_eq!(*store.latest().borrow(), written.len() as u64);
            }
            let expected: Vec<_> =
                (1..).zip(written).map(|(sequence, event)| Entry { sequence, event }).collect();
            assert_eq!(log(&store).await, expected);
        });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(u64),
    RepeatWithMore(u64),
    Close,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..5_u64).prop_map(Step::Commit),
        3 => (0..5_u64).prop_map(Step::RepeatWithMore),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
    ]
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the store can be used")
        .block_on(test);
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(|nanoseconds| {
        Timestamp::from_nanosecond(nanoseconds.into()).expect("the store can be used")
    })
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    option::of(".{0,20}".prop_map(String::into_boxed_str))
}

fn target() -> impl Strategy<Value = TargetKey> {
    let account = (0..1_000_000_000_000_u64).prop_map(account);
    let region = option::of("[a-z0-9-]{1,20}".prop_map(Region::new));
    (account, sample::select(&Probe::ALL), region).prop_map(|(account, probe, region)| TargetKey {
        account,
        probe,
        region,
    })
}

fn details() -> impl Strategy<Value = Details> {
    prop_oneof![
        Just(Details::None),
        ".{0,20}".prop_map(|id| {
            Details::GovCloud(GovCloudDetails { govcloud_account_id: id.into_boxed_str() })
        }),
        (text(), text(), text()).prop_map(|(role_arn, timestream_database_name, timestream_table_name)| {
            Details::FleetWise(Box::new(FleetWiseDetails {
                role_arn,
                timestream_database_name,
                timestream_table_name,
            }))
        }),
    ]
}

fn resource() -> impl Strategy<Value = ResourceState> {
    let parts = (sample::select(&Resource::ALL), sample::select(&Status::ALL), text(), text(), time());
    parts.prop_map(|(resource, status, text, error_message, since)| ResourceState {
        reading: ResourceReading::new(resource, status).with_words(text, error_message),
        since,
    })
}

fn states() -> impl Strategy<Value = BTreeMap<TargetKey, SavedState>> {
    let times = [option::of(time()), option::of(time()), option::of(time())];
    let state = (vec(resource(), 0..4), details(), times).prop_map(|(resources, details, times)| {
        let [created_at, modified_at, last_success] = times;
        SavedState { resources, details, created_at, modified_at, last_success }
    });
    btree_map(target(), state, 0..20)
}

fn any_event() -> impl Strategy<Value = Event> {
    let labels = btree_map("[a-z_]{1,8}", ".{0,8}", 0..3);
    let transition = (
        sample::select(&TransitionKind::ALL),
        resource(),
        option::of(sample::select(&Status::ALL)),
        option::of(time()),
        option::of(time()),
    )
        .prop_map(|(kind, now, from, previous_since, aws_modified_at)| Transition {
            kind,
            resource: now.reading.resource,
            from,
            to: now.reading.status,
            text: now.reading.text().map(Into::into),
            error_message: now.reading.error_message().map(Into::into),
            previous_since,
            observed_at: now.since,
            aws_modified_at,
        });
    (any::<u128>(), target(), ".{0,20}", labels, transition, [text(), text(), text()]).prop_map(
        |(id, target, name, labels, transition, names)| {
            let [role_arn, timestream_database_name, timestream_table_name] = names;
            Event {
                id: uuid::Uuid::from_u128(id).into(),
                account: Arc::new(Account { id: target.account, name: name.into(), labels }),
                probe: target.probe,
                region: target.region,
                transition,
                role_arn,
                timestream_database_name,
                timestream_table_name,
            }
        },
    )
}
