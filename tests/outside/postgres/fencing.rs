//! A stale claim writes nothing, whatever it is to write.

use regwatch::clock::Clock;
use regwatch::model::{Entry, Resource, Roster, Status};
use regwatch::store::{Batch, Committed, EventQuery, Ledger, StoreError};
use tokio::sync::watch;

use super::*;
use crate::place::Place;
use crate::store::{at, event, events, key, log, numbers, silence, state};

/// A batch with something of every sort, of an account.
fn batch(number: u64, claim: &Claim) -> Batch {
    Batch {
        states: vec![(key(number), state(&[(Resource::Account, Status::Active)], 1))],
        events: vec![event(number, 1)],
        answered: vec![(key(number), at(2))],
        silences: vec![silence(number, 1, 2)],
        ended: vec![key(number + 100)],
        gates: vec![(number.to_string(), Some(at(9)))],
        claim: Some(claim.clone()),
    }
}

async fn accounts(store: &Store) -> Vec<u64> {
    let id = |entry: Entry| entry.event.account.id.to_string().parse().expect("it is a number");
    log(store).await.into_iter().map(id).collect()
}

#[tokio::test]
async fn what_comes_under_a_stale_claim_is_left_out_and_the_rest_is_written() {
    let place = Place::new().await;
    let store = place.open().await;
    let (a, b) = (replica("a"), replica("b"));
    let leases = [Lease::Shard(0), Lease::Shard(1), Lease::Shard(2)];
    let held = take(&store, &a, &leases, LONG).await;
    let committed = store.commit(Arc::new(held.iter().zip(1..).map(|(c, n)| batch(n, c)).collect())).await;
    assert_eq!(committed.unwrap(), Committed::default());
    assert_eq!(accounts(&store).await, [1, 2, 3]);

    // The first is released, the second taken over, the third held on.
    store.release(&a.id, &held[..2]).await.unwrap();
    store.take(&b.id, &leases[1..2], LONG).await.unwrap();
    let never = claim(Lease::Shard(9), 1);
    let early = claim(Lease::Shard(2), 2);
    let all = [&held[0], &held[1], &held[2], &never, &early];
    let batches: Vec<_> = all.into_iter().zip(11..).map(|(claim, number)| batch(number, claim)).collect();
    let committed = store.commit(Arc::new(batches)).await.unwrap();
    assert_eq!(committed.fenced, [held[0].clone(), held[1].clone(), early, never]);
    assert_eq!(accounts(&store).await, [1, 2, 3, 13]);
    let targets: Vec<_> = store.states().await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(targets, [key(1), key(2), key(3), key(13)]);
    let gates: Vec<_> = store.gates(at(5)).await.unwrap().into_keys().collect();
    assert_eq!(gates, ["1", "13", "2", "3"]);
    let silent = store.history(&(11..=15).map(crate::store::account).collect(), at(0)).await.unwrap();
    assert_eq!(silent.silences, [silence(13, 1, 2)]);
}

#[tokio::test]
async fn a_claim_that_expired_holds_until_somebody_takes_over() {
    let place = Place::new().await;
    let store = place.open().await;
    let (a, b) = (replica("a"), replica("b"));
    let held = take(&store, &a, &[Lease::Shard(0)], SHORT).await;
    until("it expires", async || store.renew(&b, &[], &[], LONG).await.unwrap().leases[0].holder.is_none())
        .await;
    let committed = store.commit(Arc::new(vec![batch(1, &held[0])])).await.unwrap();
    assert_eq!(committed.fenced, [], "nobody else can have written");
    store.take(&b.id, &[Lease::Shard(0)], LONG).await.unwrap();
    let committed = store.commit(Arc::new(vec![batch(2, &held[0])])).await.unwrap();
    assert_eq!(committed.fenced, held);
    assert_eq!(accounts(&store).await, [1]);
}

#[tokio::test]
async fn every_other_write_fails() {
    let place = Place::new().await;
    let mut settings = place.settings.clone();
    settings.max_events = 1;
    let store = Store::open(&settings).await.unwrap();
    store.commit(Arc::new(vec![Batch { events: events(5), ..Batch::default() }])).await.unwrap();
    store.cursor("hook").await.unwrap();
    let a = replica("a");
    let leases = [Lease::Sink("hook".into()), Lease::Shard(0), Lease::House];
    let held = take(&store, &a, &leases, LONG).await;
    let [shard, sink, house] = &held[..] else { panic!("{held:?}") };
    let roster = Roster::default();
    let write = async |sink: &Claim, shard: &Claim| {
        let roster = store.save_roster("fleet", at(1), &roster, Some(shard)).await;
        let listing = store.note_listing("fleet", at(2), Some(shard)).await;
        let parked = [(2, "410 Gone".to_owned())];
        [roster, listing, store.advance("hook", 3, &parked, Some(sink)).await]
    };
    store.release(&a.id, &held).await.unwrap();
    let fenced = |claim: &Claim| Err(StoreError::Fenced(claim.clone()));
    assert_eq!(write(sink, shard).await, [fenced(shard), fenced(shard), fenced(sink)]);
    assert_eq!(
        fenced(sink).map(|()| String::new()).unwrap_err().to_string(),
        "the store was not written: the claim to sink/hook at epoch 1 is stale, and another replica may hold it"
    );
    assert!(store.rosters().await.unwrap().is_empty());
    let parked = EventQuery { parked_by: Some("hook".into()), ..EventQuery::after(0, 10) };
    assert_eq!((store.cursor("hook").await.unwrap(), store.events(&parked).await.unwrap().len()), (5, 0));

    let sinks = watch::Sender::new(Vec::new()).subscribe();
    let house_keeping = async |claim| {
        store.keep_house(Clock::starting_at(at(100 * 24 * 60 * 60)), &sinks, Some(claim), |_| {}).await
    };
    house_keeping(house).await;
    assert_eq!(numbers(&store).await, [1, 2, 3, 4, 5]);
    let held = store.take(&a.id, &leases, LONG).await.unwrap();
    assert!(write(&held[1], &held[0]).await.iter().all(Result::is_ok));
    let gone = until("what is old goes", async || numbers(&store).await.is_empty());
    tokio::select! {
        () = house_keeping(&held[2]) => unreachable!("it ends only where it is refused"),
        () = gone => {}
    }
}

#[tokio::test]
async fn a_takeover_passes_over_what_is_being_written_and_a_renewal_does_not_wait() {
    let place = Place::new().await;
    let store = place.open().await;
    let (a, b) = (replica("a"), replica("b"));
    let held = take(&store, &a, &[Lease::Shard(0)], SHORT).await;
    // Somebody who has checked the claim and holds the ledger, and then takes his time.
    let mut writer = place.server.connect().await;
    let sql = format!(
        "BEGIN; SET LOCAL search_path TO {}; SELECT 1 FROM leases FOR KEY SHARE; \
         UPDATE ledger SET revision = revision + 1",
        place.schema()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut writer).await.unwrap();
    store.renew(&a, &[], &held, SHORT).await.unwrap();
    until("it expires", async || store.renew(&b, &[], &[], LONG).await.unwrap().leases[0].holder.is_none())
        .await;
    assert_eq!(store.take(&b.id, &[Lease::Shard(0)], LONG).await.unwrap(), []);
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    assert_eq!(store.take(&b.id, &[Lease::Shard(0)], LONG).await.unwrap(), [claim(Lease::Shard(0), 2)]);
}

#[tokio::test]
async fn a_write_waits_for_a_takeover_and_sees_it() {
    let place = Place::new().await;
    let store = place.open().await;
    let a = replica("a");
    let held = take(&store, &a, &[Lease::Shard(0)], LONG).await;
    let mut taker = place.server.connect().await;
    let sql = format!(
        "BEGIN; SET LOCAL search_path TO {}; SELECT 1 FROM leases FOR UPDATE; \
         UPDATE leases SET epoch = 2, holder = 'another'",
        place.schema()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut taker).await.unwrap();
    let end = async {
        tokio::time::sleep(SHORT / 4).await;
        sqlx::raw_sql("COMMIT").execute(&mut taker).await.unwrap();
    };
    let (committed, ()) = tokio::join!(store.commit(Arc::new(vec![batch(1, &held[0])])), end);
    assert_eq!(committed.unwrap().fenced, held);
    assert_eq!(numbers(&store).await, [0_u64; 0]);
}
