//! Through a pooler that lends a connection for one transaction at a time, and knows no prepared statements.

use std::path::Path;
use std::process::Stdio;

use regwatch::store::{Batch, Ledger};
use tokio::process::Child;

use super::server::{OWNER, Server, free_port};
use super::*;
use crate::place::{Place, settings};
use crate::store::{at, event, events, log, numbers};

/// A pooler with two connections to a server.
fn pooler(server: &Server) -> (Child, u16) {
    let port = free_port();
    let config = server.write(
        &server.name("pgbouncer"),
        &format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user={OWNER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 2\n",
            server.port
        ),
    );
    let mut command = tokio::process::Command::from(Server::unprivileged(Path::new("pgbouncer")));
    command.arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    (command.spawn().expect("pgbouncer is there"), port)
}

#[tokio::test]
async fn it_works_through_a_pooler() {
    let place = Place::new().await;
    let (_pooler, port) = pooler(&place.server);
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    until("the pooler listens", listens).await;
    let url = format!("postgres://{OWNER}@127.0.0.1:{port}/postgres");
    let through = settings(place.server.settings(&url, place.schema()));
    let stores = [Store::open(&through).await.unwrap(), Store::open(&through).await.unwrap()];
    let me = replica("a");
    let held = take(&stores[0], &me, &[Lease::House], LONG).await;
    let write = stores.iter().map(async |store| {
        for second in 0..20 {
            let events = (0..5).map(|number| event(number, second)).collect();
            let gates = vec![("scope".to_owned(), Some(at(second)))];
            let batch = Batch { events, gates, claim: Some(held[0].clone()), ..Batch::default() };
            assert_eq!(store.commit(Arc::new(vec![batch])).await.unwrap().fenced, []);
            store.advance("hook", 3, &[], Some(&held[0])).await.unwrap();
            assert!(log(store).await.len() >= 5);
            assert_eq!(store.renew(&me, &[Lease::House], &held, LONG).await.unwrap().leases.len(), 1);
        }
    });
    futures_util::future::join_all(write).await;
    assert_eq!(numbers(&stores[1]).await, (1..=200).collect::<Vec<_>>());
    assert_eq!(stores[0].gates(at(1)).await.unwrap().len(), 1);
    // Beside it, without the pooler.
    let direct = place.open().await;
    direct.commit(Arc::new(vec![Batch { events: events(1), ..Batch::default() }])).await.unwrap();
    assert_eq!(numbers(&stores[0]).await.len(), 201);
}
