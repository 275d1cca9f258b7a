//! Who of several replicas holds what.

use regwatch::store::{LeaseState, LiveReplica};

use super::*;
use crate::place::Place;

fn shards(count: u16) -> Vec<Lease> {
    (0..count).map(Lease::Shard).collect()
}

fn state(lease: Lease, epoch: u64, holder: Option<&Replica>) -> LeaseState {
    LeaseState { lease, epoch: Epoch(epoch), holder: holder.map(|replica| replica.id) }
}

#[tokio::test]
async fn what_is_free_is_taken_once() {
    let place = Place::new().await;
    let (one, other) = (place.open().await, place.open().await);
    let (a, b) = (replica("a"), replica("b"));
    let known = [Lease::Shard(0), Lease::Shard(1), Lease::Sink("page/r".into()), Lease::House];
    let roll = one.renew(&a, &known, &[], LONG).await.unwrap();
    assert_eq!(roll.replicas, [LiveReplica { id: a.id, name: "a".into() }]);
    let free: Vec<_> = [Lease::House, Lease::Shard(0), Lease::Shard(1), Lease::Sink("page/r".into())]
        .map(|lease| state(lease, 0, None))
        .into();
    assert_eq!(roll.leases, free, "in the order of their texts");

    let both = tokio::join!(one.take(&a.id, &known, LONG), other.take(&b.id, &known, LONG));
    let mut taken = [both.0.unwrap(), both.1.unwrap()].concat();
    taken.sort();
    let mut expected = known.clone().map(|lease| claim(lease, 1));
    expected.sort();
    assert_eq!(taken, expected, "each by one");
    assert_eq!(one.take(&a.id, &known, LONG).await.unwrap(), [], "not even by its own holder");
    let roll = other.renew(&b, &known, &[], LONG).await.unwrap();
    let mut live = [&a, &b].map(|replica| LiveReplica { id: replica.id, name: replica.name.clone() });
    live.sort_by_key(|replica| replica.id);
    assert_eq!(roll.replicas, live, "in the order of their ids");
    assert!(roll.leases.iter().all(|lease| lease.epoch == Epoch(1) && lease.holder.is_some()));
}

#[tokio::test]
async fn what_is_released_or_expires_goes_to_the_next_epoch() {
    let place = Place::new().await;
    let store = place.open().await;
    let (a, b) = (replica("a"), replica("b"));
    let held = take(&store, &a, &shards(2), LONG).await;
    assert_eq!(held, [claim(Lease::Shard(0), 1), claim(Lease::Shard(1), 1)]);
    store.release(&a.id, &held[..1]).await.unwrap();
    let roll = store.renew(&b, &shards(2), &[], LONG).await.unwrap();
    assert_eq!(roll.leases, [state(Lease::Shard(0), 1, None), state(Lease::Shard(1), 1, Some(&a))]);
    let taken = store.take(&b.id, &shards(2), SHORT).await.unwrap();
    assert_eq!(taken, [claim(Lease::Shard(0), 2)]);

    // Neither by an old claim nor by somebody else's is anything renewed or released.
    store.release(&a.id, &[claim(Lease::Shard(0), 1), claim(Lease::Shard(0), 2)]).await.unwrap();
    store.release(&b.id, &[claim(Lease::Shard(0), 1)]).await.unwrap();
    let roll =
        store.renew(&a, &[], &[claim(Lease::Shard(0), 1), claim(Lease::Shard(0), 2)], LONG).await.unwrap();
    assert_eq!(roll.leases[0], state(Lease::Shard(0), 2, Some(&b)));

    until("it expires", async || store.renew(&a, &[], &[], LONG).await.unwrap().leases[0].holder.is_none())
        .await;
    let late = store.renew(&b, &[], &[claim(Lease::Shard(0), 2)], LONG).await.unwrap();
    assert_eq!(late.leases[0], state(Lease::Shard(0), 2, None), "what has expired is not renewed");
    assert_eq!(store.take(&a.id, &shards(1), LONG).await.unwrap(), [claim(Lease::Shard(0), 3)]);
}

#[tokio::test]
async fn a_renewal_lasts_from_its_own_time_on() {
    let place = Place::new().await;
    let store = place.open().await;
    let (a, b) = (replica("a"), replica("b"));
    let held = take(&store, &a, &shards(1), SHORT).await;
    let left = async || {
        let mut connection = place.server.connect().await;
        let sql = format!(
            "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM {}.leases",
            place.schema()
        );
        sqlx::query_scalar::<_, f64>(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    };
    assert!(left().await <= 2.0);
    store.renew(&a, &[], &held, LONG).await.unwrap();
    let seconds = left().await;
    assert!((500.0..=600.0).contains(&seconds), "{seconds} s are left");
    assert_eq!(store.take(&b.id, &shards(1), LONG).await.unwrap(), []);
}

#[tokio::test]
async fn whoever_leaves_or_is_silent_does_not_count() {
    let place = Place::new().await;
    let store = place.open().await;
    let [a, b, c] = ["a", "b", "c"].map(replica);
    store.renew(&a, &[], &[], LONG).await.unwrap();
    store.renew(&b, &[], &[], SHORT).await.unwrap();
    assert_eq!(store.renew(&c, &[], &[], LONG).await.unwrap().replicas.len(), 3);
    store.leave(&a.id).await.unwrap();
    until("b is forgotten", async || {
        let roll = store.renew(&c, &[], &[], LONG).await.unwrap();
        roll.replicas == [LiveReplica { id: c.id, name: "c".into() }]
    })
    .await;
}

#[tokio::test]
async fn epochs_only_go_up_however_many_fight_for_them() {
    let place = Place::new().await;
    let stores = [place.open().await, place.open().await, place.open().await];
    let fight = stores.iter().map(async |store| {
        let me = replica("fighter");
        let mut seen = Vec::new();
        for _ in 0..30 {
            let taken = take(store, &me, &shards(4), LONG).await;
            store.renew(&me, &shards(4), &taken, LONG).await.unwrap();
            store.release(&me.id, &taken).await.unwrap();
            seen.extend(taken);
        }
        seen
    });
    let mut seen: Vec<_> = futures_util::future::join_all(fight).await.concat();
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "no epoch is given twice");
    let last = stores[0].renew(&replica("judge"), &[], &[], LONG).await.unwrap().leases;
    let highest: u64 = last.iter().map(|lease| lease.epoch.0).sum();
    assert_eq!(highest, count as u64, "and none is left out");
}
