//! Stores that hang, lose answers, count fast, or forget; and a process that sleeps.

use super::*;

const SHARD: Lease = Lease::Shard(0);

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_is_given_up_and_made_again_in_time() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    replica.store.next([Fate::Hangs, Fate::Hangs, Fate::Hangs]);
    watching(Duration::from_mins(2), async || assert!(replica.is_certain(&SHARD))).await;
    assert_eq!((replica.meters.renewal_failures(), replica.epoch(&SHARD)), (3, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn each_answer_that_does_not_come_in_time_is_told_to_the_store() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    replica.store.next([Fate::Hangs, Fate::Fails, Fate::LosesItsAnswer, Fate::Done]);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(replica.store.calls("unanswered").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_in_touch_from_the_first_answer_until_what_it_holds_has_expired() {
    let idle = Running::start(&FakeStore::new(), &[]);
    idle.store.next([Fate::Hangs]);
    assert_eq!(idle.out_of_touch_since(), Some(0));
    let mut contact = idle.contact.clone();
    contact.next().await;
    assert_eq!(idle.out_of_touch_since(), None, "with nothing to hold");

    let replica = Running::alone(&FakeStore::new(), &shards(2)).await;
    sleep(ROUND).await;
    let last = replica.store.calls("renew").pop().unwrap();
    replica.store.always(Fate::Hangs);
    let (mut held, certain) = (replica.held.clone(), last + CERTAIN);
    watching(certain - Instant::now() - Duration::from_millis(100), async || {
        assert_eq!(replica.out_of_touch_since(), None);
    })
    .await;
    held.mark_unchanged();
    held.changed().await.unwrap();
    assert_eq!((held.borrow().tenures().len(), Instant::now()), (0, certain));
    assert_eq!(replica.out_of_touch_since(), Some(3));
    sleep(Duration::from_mins(5)).await;
    assert_eq!(replica.out_of_touch_since(), Some(3), "it tells when the store last answered");
    replica.store.always(Fate::Done);
    sleep(LEASE / 6).await;
    assert_eq!((replica.out_of_touch_since(), idle.out_of_touch_since()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_made_again_soon() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    replica.store.next([Fate::Fails, Fate::LosesItsAnswer, Fate::Fails]);
    watching(Duration::from_mins(2), async || assert!(replica.is_certain(&SHARD))).await;
    assert_eq!((replica.meters.renewal_failures(), replica.epoch(&SHARD)), (3, Some(1)));
    let renewals = replica.store.calls("renew");
    assert!(renewals[2] - renewals[1] < LEASE / 15, "{renewals:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_all_vanishes_when_its_time_is_over_and_comes_back_under_another_epoch() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    replica.store.always(Fate::Fails);
    let last = replica.now().get(&SHARD).unwrap().certain_until;
    let mut held = replica.held.clone();
    held.mark_unchanged();
    held.changed().await.unwrap();
    assert_eq!((held.borrow().tenures().len(), Instant::now()), (0, last));
    assert_eq!(replica.count(Handover::Expired), 2);
    assert_eq!(store.holder(&SHARD).0, Some(replica.id), "nobody else could have it yet");
    sleep(Duration::from_secs(1)).await;
    // What it gets from now on it gets before the store has forgotten.
    replica.store.always(Fate::Done);
    sleep(ROUND).await;
    assert_eq!((replica.epoch(&SHARD), replica.is_certain(&SHARD)), (Some(2), true));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_comes_too_late_brings_nothing_back() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(1)).await;
    // The fourth is sent before the claim ends and answered after.
    replica.store.next([Fate::Hangs, Fate::Hangs, Fate::Hangs, Fate::AnswersLate(Duration::from_secs(3))]);
    let end = replica.now().get(&SHARD).unwrap().certain_until + ROUND;
    sleep(ROUND + Duration::from_millis(100)).await;
    let mut held = replica.held.clone();
    held.mark_unchanged();
    held.changed().await.unwrap();
    assert_eq!(held.borrow_and_update().tenures().len(), 0);
    assert!(Instant::now() <= end);
    assert_eq!(store.holder(&SHARD), (Some(replica.id), 1), "the store has renewed it");
    held.changed().await.unwrap();
    assert_eq!(replica.epoch(&SHARD), Some(2));
    assert!(Instant::now() < end + ROUND, "at once");
    assert_eq!((replica.count(Handover::Expired), replica.count(Handover::Taken)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_without_an_answer_is_taken_again_under_the_next_epoch() {
    for fate in [Fate::LosesItsAnswer, Fate::ComesLate(Duration::from_secs(12)), Fate::Hangs, Fate::Fails] {
        let store = FakeStore::new();
        let replica = Running::start(&store, &shards(1));
        replica.store.next([Fate::Done, fate]);
        sleep(LEASE).await;
        let (holder, epoch) = store.holder(&SHARD);
        assert!(replica.is_certain(&SHARD), "{fate:?}");
        assert_eq!((holder, replica.epoch(&SHARD)), (Some(replica.id), Some(epoch)), "{fate:?}");
        assert_eq!(replica.count(Handover::Lost), 0, "{fate:?}");
        assert_eq!(epoch, if matches!(fate, Fate::LosesItsAnswer) { 2 } else { 1 }, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_has_given_to_another_is_lost_at_once() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    store.give(&SHARD, ReplicaId::random(), LEASE * 2);
    sleep(ROUND + Duration::from_millis(100)).await;
    assert_eq!(replica.leases(), [Lease::Shard(1)]);
    assert_eq!(replica.count(Handover::Lost), 1);
    sleep(LEASE * 3).await;
    assert_eq!(replica.epoch(&SHARD), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_clock_is_fast_never_gives_away_what_is_certain() {
    let store = FakeStore::running_at(1.1);
    let replica = Running::alone(&store, &shards(1)).await;
    // Nothing, one renewal, more and more in time, and again.
    for hung in 0..12 {
        replica.store.next([Fate::Hangs].repeat(hung));
        watching(LEASE * 3, async || {
            let held = replica.now();
            let epoch = held
                .is_certain(&SHARD, Instant::now())
                .then(|| (Some(replica.id), replica.epoch(&SHARD).unwrap()));
            assert!(epoch.is_none_or(|epoch| epoch == store.holder(&SHARD)), "{held:?}");
        })
        .await;
    }
    assert!(replica.count(Handover::Expired) > 0, "it came to the edge");
    assert_eq!(replica.count(Handover::Lost), 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_sleeps_past_its_lease_is_certain_of_nothing_when_it_wakes() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(1)).await;
    // Time goes by for all, and nothing of this process turns.
    let asleep = replica.now();
    let other = ReplicaId::random();
    advance(CERTAIN + Duration::from_secs(1)).await;
    assert!(!asleep.is_certain(&SHARD, Instant::now()), "whoever looks at the time sees it");
    advance(Duration::from_secs(4)).await;
    store.give(&SHARD, other, LEASE);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(replica.leases(), []);
    assert_eq!(replica.count(Handover::Expired), 1);
    sleep(ROUND).await;
    assert_eq!(store.holder(&SHARD), (Some(other), 2), "it is left alone");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_answered_is_made_again_and_not_taken_for_held() {
    for fate in [Fate::Hangs, Fate::Fails, Fate::LosesItsAnswer, Fate::ComesLate(Duration::from_secs(8))] {
        let store = FakeStore::new();
        let replica = Running::alone(&store, &shards(2)).await;
        let other = Running::start(&store, &shards(2));
        while replica.going().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
        let going = replica.going();
        replica.store.next([fate]);
        replica.let_go().await;
        sleep(ROUND * 6).await;
        assert_eq!(
            other.now().claims().collect::<Vec<_>>(),
            [Claim { epoch: Epoch(2), ..going[0].clone() }],
            "{fate:?}"
        );
        assert_eq!(replica.leases().len(), 1, "{fate:?}");
    }
}
