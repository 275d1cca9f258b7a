//! A replica that is started while the database is away.

use std::time::Duration;

use regwatch::sim::World;
use tokio::time::{Instant, sleep};

use super::config;
use super::replica::Replica;
use crate::harness::{Aws, hub, member};
use crate::postgres::server::Server;
use crate::receiver::Receiver;

/// The longest that it may take to ask, on a machine that stands still for seconds.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_started_while_the_database_is_away_waits_for_it() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let (receiver, server) = (Receiver::start([]).await, Server::start("").await);
    let config = |url_file: &str, name: &str| config(url_file, name, &receiver.url, 1);
    let mut replica = Replica::new(0, &aws.url, &server, config).await;
    let log = replica.up_before_the_database().await;
    assert!(log.contains("the store cannot be used yet"), "{log}");
    let began = Instant::now();
    while aws.control.calls().iter().all(|call| call.about.is_none()) {
        assert!(began.elapsed() < PATIENCE, "it asks nothing");
        sleep(Duration::from_millis(50)).await;
    }
}
