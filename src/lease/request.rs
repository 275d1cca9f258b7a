//! What the store is asked about leases, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use crate::model::{Claim, Lease};
use crate::store::{Leases, Replica, Roll, StoreError};

/// Something that the store is asked.
pub(super) struct Request {
    /// The moment before: the store has done nothing of it by then.
    pub(super) sent: Instant,
    pub(super) outcome: BoxFuture<'static, Outcome>,
}

/// What comes of a request.
pub(super) type Outcome = Result<Reply, Failed>;

/// What the store says.
pub(super) enum Reply {
    /// What was to be renewed, and how everything stands.
    Renewed(Vec<Claim>, Roll),
    /// What was got.
    Taken(Vec<Claim>),
    /// What is not held any more.
    Released(Vec<Claim>),
    /// The replica counts no more.
    Left,
}

/// There was no answer, or one that says no. Whether it was done is not known.
#[derive(Debug, thiserror::Error)]
#[error("the store could not be asked to {what}")]
pub(super) struct Failed {
    what: &'static str,
    pub(super) is_renewal: bool,
    source: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("it did not answer in time")]
    Timeout,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Request {
    pub(super) fn renew(
        leases: Arc<impl Leases>,
        me: Replica,
        known: Arc<[Lease]>,
        held: Vec<Claim>,
        lease: Duration,
        patience: Duration,
    ) -> Self {
        Self::new("renew leases", Arc::clone(&leases), patience, async move {
            let roll = leases.renew(&me, &known, &held, lease).await?;
            Ok(Reply::Renewed(held, roll))
        })
    }

    pub(super) fn take(
        leases: Arc<impl Leases>,
        me: Replica,
        wanted: Vec<Lease>,
        lease: Duration,
        patience: Duration,
    ) -> Self {
        Self::new("take leases", Arc::clone(&leases), patience, async move {
            leases.take(&me.id, &wanted, lease).await.map(Reply::Taken)
        })
    }

    pub(super) fn release(
        leases: Arc<impl Leases>,
        me: Replica,
        claims: Vec<Claim>,
        patience: Duration,
    ) -> Self {
        Self::new("release leases", Arc::clone(&leases), patience, async move {
            leases.release(&me.id, &claims).await?;
            Ok(Reply::Released(claims))
        })
    }

    pub(super) fn leave(leases: Arc<impl Leases>, me: Replica, patience: Duration) -> Self {
        Self::new("end the replica", Arc::clone(&leases), patience, async move {
            leases.leave(&me.id).await?;
            Ok(Reply::Left)
        })
    }

    fn new(
        what: &'static str,
        leases: Arc<impl Leases>,
        patience: Duration,
        reply: impl Future<Output = Result<Reply, StoreError>> + Send + 'static,
    ) -> Self {
        let outcome = async move {
            let reply = match timeout(patience, reply).await {
                Ok(reply) => reply.map_err(Reason::from),
                Err(_) => {
                    leases.unanswered();
                    Err(Reason::Timeout)
                }
            };
            reply.map_err(|source| Failed { what, is_renewal: what == "renew leases", source })
        };
        Self { sent: Instant::now(), outcome: outcome.boxed() }
    }
}
