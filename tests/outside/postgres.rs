//! The store in a real PostgreSQL: what it does beyond what every engine does, with several at once, and
//! with a server that is not always there.

mod copying;
mod fencing;
mod following;
mod leases;
mod opening;
mod pooler;
mod releases;
pub(crate) mod server;
mod shared;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use regwatch::model::{Claim, Epoch, Lease, ReplicaId};
use regwatch::store::{Leases, Replica, Store};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Short enough to wait for, long enough to do something with.
const SHORT: Duration = Duration::from_secs(2);

/// The longest that a condition may take to come true, on a machine that stands still for seconds.
const PATIENCE: Duration = Duration::from_secs(90);

fn replica(name: &str) -> Replica {
    Replica { id: ReplicaId::random(), name: Arc::from(name) }
}

/// Makes leases known, and takes them for a replica.
async fn take(store: &Store, me: &Replica, leases: &[Lease], duration: Duration) -> Vec<Claim> {
    store.renew(me, leases, &[], duration).await.expect("the store can be used");
    store.take(&me.id, leases, duration).await.expect("the store can be used")
}

fn claim(lease: Lease, epoch: u64) -> Claim {
    Claim { lease, epoch: Epoch(epoch) }
}

/// Waits until a condition holds.
async fn until(described: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "never came true: {described}");
}
