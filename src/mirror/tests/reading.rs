//! What is made of what others write.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_others_write_is_seen_and_only_what_is_new_is_read() {
    let (whole, mine, other) = two_apart();
    let script = Script::default();
    let then = "2026-11-21T11:00:00Z".parse().unwrap();
    script.write(other, Status::RegistrationPending, then);
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    assert_eq!(running.status(other), Some(Status::RegistrationPending));
    assert!(running.state(other).is_up(), "that it answered is what is known");
    assert_eq!((running.holder(mine), running.holder(other)), ("a, me".into(), "b".into()));
    assert_eq!(running.whole().snapshot.targets.len(), 40);

    let now = running.clock.now();
    script.write(other, Status::RegistrationSuccess, now);
    running.next_reading().await;
    assert_eq!(
        (running.status(other), running.state(other).last_success),
        (Some(Status::RegistrationSuccess), Some(now))
    );
    assert_eq!(script.told().asked, [None, Some(1)]);

    let mut look = running.look.clone();
    look.mark_unchanged();
    sleep(Duration::from_mins(2)).await;
    assert!(!look.has_changed().unwrap(), "nothing is shown anew where nothing is");
    assert!((115..=125).contains(&script.told().asked.len()), "{}", script.told().asked.len());
    assert_eq!(running.liveness.check(Instant::now()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn of_what_has_ended_nothing_is_known() {
    let (whole, mine, other) = two_apart();
    let script = Script::default();
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    script.write(other, Status::RegistrationSuccess, running.clock.now());
    running.next_reading().await;
    assert_eq!(running.status(other), Some(Status::RegistrationSuccess));
    script.end(other);
    running.next_reading().await;
    assert_eq!(*running.state(other), TargetState::default());
    script.told().ended.clear();
    script.write(other, Status::RegistrationFailure, running.clock.now());
    running.next_reading().await;
    assert_eq!(running.status(other), Some(Status::RegistrationFailure));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_as_this_replica_knows_it_at_once() {
    let (whole, mine, _) = two_apart();
    let script = Script::default();
    script.write(mine, Status::RegistrationFailure, "2026-11-21T11:00:00Z".parse().unwrap());
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    assert_eq!(running.status(mine), None, "the store is not asked about it");
    script.told().hangs = true;
    running.next_reading().await;
    running.hear(mine, Status::RegistrationSuccess);
    running.settle().await;
    assert_eq!((running.status(mine), running.state(mine).polls), (Some(Status::RegistrationSuccess), 1));
    assert!(Arc::ptr_eq(
        &running.state(mine),
        &running.local.borrow().targets[place(&running.local.borrow().fleet, mine).unwrap()]
    ));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_leaves_what_was_heard_and_since_when() {
    let (whole, mine, other) = two_apart();
    let script = Script::default();
    let began = "2026-11-21T12:00:00Z".parse().unwrap();
    script.write(other, Status::RegistrationPending, began);
    let running = Running::start(&script, &whole, &[shard(&whole, mine)]).await;
    assert_eq!(running.unheard_since(), None);
    running.next_reading().await;
    script.told().is_away = true;
    script.write(other, Status::RegistrationSuccess, began);
    for _ in 0..5 {
        running.next_reading().await;
        let since = running.unheard_since().unwrap().duration_since(began).as_secs();
        assert_eq!((since, running.status(other)), (1, Some(Status::RegistrationPending)));
    }
    running.hear(mine, Status::RegistrationSuccess);
    running.settle().await;
    assert_eq!(running.status(mine), Some(Status::RegistrationSuccess));
    script.told().is_away = false;
    running.next_reading().await;
    assert_eq!((running.unheard_since(), running.status(other)), (None, Some(Status::RegistrationSuccess)));
}
