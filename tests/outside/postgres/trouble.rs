//! A server that is not always there, and connections that are cut, stand still or are slow: nothing is lost,
//! nothing is doubled, and it goes on by itself.

use regwatch::model::Entry;
use regwatch::store::{Batch, EventQuery, Ledger, StoreError, Trouble};
use sqlx::Connection as _;

use super::server::Server;
use super::*;
use crate::place::{Place, settings};
use crate::proxy::Proxy;
use crate::store::{append, event, events, log, numbers};

fn trouble<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> Trouble {
    outcome.expect_err("it cannot be used").reason()
}

/// Writes a batch as the tracker does: again and again until it is told that it was written.
async fn surely(store: &Store, batches: Vec<Batch>) {
    let batches = Arc::new(batches);
    until("it is written", async || store.commit(Arc::clone(&batches)).await.is_ok()).await;
}

/// How often there was what.
fn counted(store: &Store) -> Vec<(Trouble, u64)> {
    let counts = Trouble::ALL.map(|trouble| (trouble, store.troubles().of(trouble)));
    counts.into_iter().filter(|(_, times)| *times > 0).collect()
}

fn one(number: u64, second: i64) -> Vec<Batch> {
    vec![Batch { events: vec![event(number, second)], ..Batch::default() }]
}

#[tokio::test]
async fn a_restart_of_the_server() {
    let place = Place::on(Arc::new(Server::start("").await));
    let store = place.open().await;
    let me = replica("a");
    let held = take(&store, &me, &[Lease::House], LONG).await;
    append(&store, events(2)).await;
    place.server.down();
    assert_eq!(trouble(store.commit(Arc::new(one(1, 3))).await), Trouble::Unreachable);
    assert_eq!(trouble(store.renew(&me, &[], &held, LONG).await), Trouble::Unreachable);
    assert_eq!(trouble(store.states().await), Trouble::Unreachable);
    place.server.up().await;
    surely(&store, one(1, 3)).await;
    assert_eq!(numbers(&store).await, [1, 2, 3]);
    let roll = store.renew(&me, &[], &held, LONG).await.unwrap();
    assert_eq!(roll.leases[0].holder, Some(me.id), "what was held is held");
}

#[tokio::test]
async fn a_server_that_lets_nobody_in() {
    let server = Arc::new(Server::start("max_connections = 5\nsuperuser_reserved_connections = 3").await);
    server.run("CREATE ROLE keeper LOGIN; CREATE SCHEMA fleet AUTHORIZATION keeper").await;
    let store = Store::open(&settings(server.settings_at(server.port, "keeper", "fleet"))).await.unwrap();
    append(&store, events(1)).await;
    // Those that it has are taken from it, and others are there first.
    server.run("ALTER ROLE keeper CONNECTION LIMIT 0").await;
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'").await;
    assert_eq!(trouble(store.commit(Arc::new(one(1, 2))).await), Trouble::Busy);
    server.run("ALTER ROLE keeper CONNECTION LIMIT -1").await;
    surely(&store, one(1, 2)).await;
    assert_eq!(numbers(&store).await, [1, 2]);
}

#[tokio::test]
async fn connections_that_are_cut_while_nobody_looks() {
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    let store = Store::open(&place.through(proxy.address.port())).await.unwrap();
    for second in 1..=5 {
        proxy.cut();
        store.commit(Arc::new(one(1, second))).await.unwrap();
    }
    assert_eq!(numbers(&store).await, [1, 2, 3, 4, 5]);
    proxy.close();
    assert_eq!(trouble(store.commit(Arc::new(one(1, 6))).await), Trouble::Unreachable);
    proxy.open();
    surely(&store, one(1, 6)).await;
}

#[tokio::test]
async fn whatever_fails_is_counted_by_its_reason() {
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    let store = Store::open(&place.through(proxy.address.port())).await.unwrap();
    let me = replica("a");
    let held = take(&store, &me, &[Lease::House], LONG).await;
    append(&store, events(1)).await;
    assert_eq!(counted(&store), []);

    proxy.close();
    store.commit(Arc::new(one(1, 2))).await.unwrap_err();
    store.states().await.unwrap_err();
    store.events(&EventQuery::after(0, 9)).await.unwrap_err();
    store.history(&[crate::store::account(1)].into(), crate::store::at(0)).await.unwrap_err();
    store.renew(&me, &[], &held, LONG).await.unwrap_err();
    store.leave(&me.id).await.unwrap_err();
    assert_eq!(counted(&store), [(Trouble::Unreachable, 6)]);
    store.unanswered();
    assert_eq!(counted(&store), [(Trouble::Timeout, 1), (Trouble::Unreachable, 6)]);

    proxy.open();
    let stale = claim(Lease::House, 7);
    let batches = [1, 2].map(|number| Batch { claim: Some(stale.clone()), ..one(number, 3).remove(0) });
    store.commit(Arc::new(batches.into())).await.unwrap();
    store.advance("log", 1, &[], Some(&stale)).await.unwrap_err();
    assert_eq!(counted(&store), [(Trouble::Fenced, 3), (Trouble::Timeout, 1), (Trouble::Unreachable, 6)]);
}

#[tokio::test]
async fn connections_that_are_cut_in_the_middle() {
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    let store = Store::open(&place.through(proxy.address.port())).await.unwrap();
    proxy.delay(Duration::from_millis(2));
    let mut expected = Vec::new();
    let mut cut = 0;
    for step in 0..40_u32 {
        let batches = Arc::new(one(1, i64::from(step)));
        expected.push(batches[0].events[0].id);
        // Each time one step further.
        let cutting = async {
            tokio::time::sleep(Duration::from_millis(u64::from(step))).await;
            proxy.cut();
        };
        let (outcome, ()) = tokio::join!(store.commit(Arc::clone(&batches)), cutting);
        cut += u32::from(outcome.is_err());
        surely(&store, batches.to_vec()).await;
    }
    assert!(cut > 3, "only {cut} were cut");
    let found: Vec<_> = log(&store).await.into_iter().map(|Entry { event, .. }| event.id).collect();
    assert_eq!(found, expected, "in order, none twice, none lost");
}

#[tokio::test]
async fn a_connection_that_stands_still() {
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    let store = Store::open(&place.through(proxy.address.port())).await.unwrap();
    let me = replica("a");
    let held = take(&store, &me, &[Lease::House], LONG).await;
    append(&store, events(1)).await;
    proxy.stall();
    let (renewed, committed) =
        tokio::join!(store.renew(&me, &[], &held, LONG), store.commit(Arc::new(one(1, 2))));
    let timeout =
        |seconds| format!("the store could not be used: the database did not answer within {seconds} s");
    assert_eq!(renewed.unwrap_err().to_string(), timeout(3));
    assert_eq!(committed.unwrap_err().to_string(), timeout(10));
    proxy.open();
    surely(&store, one(1, 3)).await;
    store.renew(&me, &[], &held, LONG).await.unwrap();
}

#[tokio::test]
async fn one_that_stands_still_in_the_middle_does_not_keep_others_out() {
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    let (slow, other) =
        (Store::open(&place.through(proxy.address.port())).await.unwrap(), place.open().await);
    let mut stuck = 0;
    for pieces in [4, 6, 8, 10] {
        proxy.open();
        surely(&slow, one(1, pieces)).await;
        proxy.delay(Duration::from_millis(10));
        let standing = async {
            tokio::time::sleep(Duration::from_millis(10 * u64::try_from(pieces).unwrap() + 5)).await;
            proxy.stall();
            std::future::pending().await
        };
        let writing = async {
            let outcome = slow.commit(Arc::new(one(2, pieces))).await;
            stuck += u32::from(outcome.is_err());
        };
        let going_on = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            surely(&other, one(3, pieces)).await;
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(writing, going_on) } => {}
            () = standing => unreachable!("it stands"),
        }
    }
    assert!(stuck > 0, "it never stood in the middle");
    let of = |number| {
        let id = crate::store::account(number);
        move |entry: &&Entry| entry.event.account.id == id
    };
    let found = log(&other).await;
    assert_eq!(found.iter().filter(of(3)).count(), 4);
}

#[tokio::test]
async fn leases_do_not_wait_for_the_others() {
    let place = Place::new().await;
    let store = place.open().await;
    let me = replica("a");
    let held = take(&store, &me, &[Lease::House], LONG).await;
    let mut hog = place.server.connect().await;
    let sql = format!("BEGIN; UPDATE {}.ledger SET revision = revision + 1", place.schema());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut hog).await.unwrap();
    let writes = async {
        let writes = (0..6).map(|number| store.commit(Arc::new(one(number, 1))));
        futures_util::future::join_all(writes).await
    };
    let renewals = async {
        for _ in 0..20 {
            store.renew(&me, &[Lease::House], &held, LONG).await.unwrap();
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut hog).await.unwrap();
    };
    let (written, ()) = tokio::join!(writes, renewals);
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    hog.close().await.unwrap();
}

#[tokio::test]
async fn what_is_given_up_half_way_does_no_harm() {
    let place = Place::new().await;
    let store = place.open().await;
    let batches = Arc::new(vec![Batch { events: events(2000), ..Batch::default() }]);
    for millis in 0..30 {
        let commit = store.commit(Arc::clone(&batches));
        let given_up = tokio::time::timeout(Duration::from_millis(millis), commit).await.is_err();
        let found = log(&store).await.len();
        assert!(found == 0 || found == 2000, "{found} of 2000 events");
        if !given_up {
            break;
        }
    }
    surely(&store, batches.to_vec()).await;
    assert_eq!(numbers(&store).await, (1..=2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let place = Place::new().await;
    let store = place.open().await;
    append(&store, events(1)).await;
    store.clone().close().await;
    let error = store.commit(Arc::new(one(1, 2))).await.unwrap_err();
    assert_eq!(error.to_string(), "the store could not be used: it is closed");
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{}%' AND pid <> pg_backend_pid()",
        place.schema()
    );
    until("its connections have ended", async || {
        let mut connection = place.server.connect().await;
        let sql = sqlx::AssertSqlSafe(sql.clone());
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap() == 0
    })
    .await;
}
