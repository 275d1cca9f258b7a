//! What becomes of it when something else is watched or held.

use super::*;

#[tokio::test(start_paused = true)]
async fn another_fleet_is_shown_from_what_was_read_before() {
    let (whole, mine, other) = two_apart();
    let held = [shard(&whole, mine)];
    let script = Script::default();
    let then = "2026-11-21T11:00:00Z".parse().unwrap();
    script.write(other, Status::RegistrationPending, then);
    let newcomer = (41..).find(|id| shard(&fleet([*id]), *id) != held[0]).unwrap();
    script.write(newcomer, Status::RegistrationSuccess, then);
    let running = Running::start(&script, &whole, &held).await;
    running.hear(mine, Status::RegistrationSuccess);
    running.settle().await;
    script.told().is_away = true;
    advance(Duration::from_mins(1)).await;

    let next = fleet((2..=40).rev().chain([newcomer, mine]).filter(|id| *id != 3));
    running.fleet.send_replace(Arc::clone(&next));
    running.settle().await;
    assert!(Arc::ptr_eq(&running.whole().snapshot.fleet, &next));
    assert_eq!(running.status(other), Some(Status::RegistrationPending));
    assert_eq!(running.status(mine), Some(Status::RegistrationSuccess), "its own part follows later");
    let unknown = (4..=40).find(|id| *id != other && shard(&next, *id) != held[0]).unwrap();
    assert_eq!(running.status(unknown), None);
    assert_eq!(running.status(newcomer), Some(Status::RegistrationSuccess));
    let since = |account| {
        let snapshot = running.whole().snapshot;
        snapshot.watched_since[place(&snapshot.fleet, account).unwrap()]
    };
    assert_eq!(
        since(newcomer).duration_since(since(unknown)).as_secs(),
        60,
        "it is watched for as long as before"
    );

    let before = Arc::clone(&running.local.borrow());
    let mut local = Snapshot::new(part(&next, &held), running.clock.now());
    let place = |fleet: &Fleet| place(fleet, mine).unwrap();
    local.targets[place(&local.fleet)] = Arc::clone(&before.targets[place(&before.fleet)]);
    running.local.send_replace(Arc::new(local));
    running.settle().await;
    assert_eq!(
        (running.status(mine), running.holder(mine)),
        (Some(Status::RegistrationSuccess), "a, me".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_goes_is_told_by_the_store_and_one_that_comes_by_this_replica() {
    let (whole, one, two) = two_apart();
    let script = Script::default();
    let running = Running::start(&script, &whole, &[shard(&whole, one)]).await;
    running.hear(one, Status::RegistrationSuccess);
    script.write(one, Status::RegistrationPending, running.clock.now());
    script.write(two, Status::RegistrationPending, running.clock.now());
    running.next_reading().await;
    assert_eq!(
        (running.status(one), running.status(two)),
        (Some(Status::RegistrationSuccess), Some(Status::RegistrationPending))
    );

    let local = Snapshot::new(part(&whole, &[shard(&whole, two)]), running.clock.now());
    running.local.send_replace(Arc::new(local));
    running.settle().await;
    assert_eq!((running.status(one), running.status(two)), (Some(Status::RegistrationPending), None));
    assert_eq!(running.holder(two), "a, me");
    assert_eq!(
        running.holder(one),
        "nobody",
        "the roll of before says that it is this one, which knows better"
    );
    running.roll.send_replace(Arc::new(roll(running.ids, ["a", "b"], &[shard(&whole, two)])));
    running.settle().await;
    assert_eq!(running.holder(one), "b");
    running.roll.send_replace(Arc::new(roll(running.ids, ["a", "a"], &[shard(&whole, two)])));
    running.settle().await;
    assert_eq!(running.holder(one), format!("a {}", &running.ids[1].to_string()[..8]));
    assert_eq!(running.holder(two), format!("a {}, me", &running.ids[0].to_string()[..8]));
}

#[tokio::test(start_paused = true)]
async fn one_that_holds_everything_is_not_one_of_several() {
    let (whole, ..) = two_apart();
    let running = Running::start(&Script::default(), &whole, &[0, 1, 2, 3]).await;
    assert!(running.whole().several().is_some(), "another takes part");
    let mut alone = roll(running.ids, ["a", "b"], &[0, 1, 2, 3]);
    alone.replicas.pop();
    running.roll.send_replace(Arc::new(alone.clone()));
    running.settle().await;
    assert!(running.whole().several().is_none());
    let local = Snapshot::new(part(&whole, &[0, 1]), running.clock.now());
    running.local.send_replace(Arc::new(local));
    running.settle().await;
    assert!(running.whole().several().is_some(), "somebody is missing");
    let sts = ScopeId(u32::try_from(whole.scopes.len() - 1).unwrap());
    assert_eq!(running.whole().several().unwrap().of(sts), Holder::Each);
    assert!(!running.whole().is_elsewhere(sts));
}

#[tokio::test(start_paused = true)]
async fn pauses_of_others_are_shown_until_they_are_over() {
    let (whole, mine, other) = two_apart();
    let script = Script::default();
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    let until = running.clock.now() + Duration::from_secs(10);
    for account in [mine, other] {
        let key = whole.scopes[place(&whole, account).unwrap()].key();
        script.told().gates.insert(key, until);
    }
    let backs_off = |account| {
        let whole = running.whole();
        let scope = place(&whole.snapshot.fleet, account).unwrap();
        whole.snapshot.scopes[scope].pacing.backoff_until
    };
    running.next_reading().await;
    assert_eq!((backs_off(mine), backs_off(other)), (None, Some(until)));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(backs_off(other), None);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_hears_of_nothing_any_more_and_leaves_the_last() {
    let (whole, mine, other) = two_apart();
    let script = Script::default();
    script.write(other, Status::RegistrationSuccess, "2026-11-21T11:00:00Z".parse().unwrap());
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    let Running { local, look, mut task, .. } = running;
    drop(local);
    task.join_next().await.unwrap().unwrap();
    assert_eq!(look.borrow().snapshot.targets[place(&whole, other).unwrap()].resources.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_written_of_a_shard_that_went_is_shown_until_the_store_tells_more() {
    let (whole, one, _) = two_apart();
    let script = Script::default();
    let running = Running::start(&script, &whole, &[shard(&whole, one)]).await;
    script.write(one, Status::RegistrationPending, running.clock.now());
    running.next_reading().await;
    running.hear(one, Status::RegistrationSuccess);
    running.settle().await;
    script.told().is_away = true;
    running.local.send_replace(Arc::new(Snapshot::new(part(&whole, &[]), running.clock.now())));
    running.next_reading().await;
    let state = running.state(one);
    assert_eq!(running.status(one), Some(Status::RegistrationSuccess));
    assert_eq!((state.polls, state.last_attempt), (0, state.last_success), "as of what another asks");
    script.told().is_away = false;
    running.next_reading().await;
    assert_eq!(running.status(one), Some(Status::RegistrationSuccess), "the store has nothing new");
    script.write(one, Status::RegistrationPending, running.clock.now());
    running.next_reading().await;
    assert_eq!(running.status(one), Some(Status::RegistrationPending));
}
