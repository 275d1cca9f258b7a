//! What those need who work under leases: to hear when they may, until when, and to say that they have ended.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Held, LetGo};
use crate::model::{Claim, Epoch, Lease};

/// The leases of this replica, for all who work under them.
#[derive(Clone, Debug)]
pub struct Tenancy {
    /// What is held.
    pub held: watch::Receiver<Arc<Held>>,
    /// Where is said that a claim is used no more.
    pub let_go: LetGo,
    /// Cancelled when the replica ends, before everything begins to go for that reason: who has something to
    /// bring to its end then does so while the lease lasts.
    pub ending: CancellationToken,
}

impl Tenancy {
    /// Somebody who works under a lease whenever it is held.
    pub fn tenant(&self, lease: Lease) -> Tenant {
        Tenant { lease, tenancy: self.clone(), last: None }
    }
}

/// Somebody who works under a lease, tenure after tenure.
#[derive(Debug)]
pub struct Tenant {
    lease: Lease,
    tenancy: Tenancy,
    /// Under which epoch it worked last, and never will again.
    last: Option<Epoch>,
}

impl Tenant {
    /// Waits for the next tenure, and tells what to write under; for ever once no more can come. What was known
    /// under the claim before may not be true any more. A tenure that goes already is told as well, since
    /// somebody has to let go of it. May be dropped at any time.
    pub async fn next(&mut self) -> Claim {
        let (lease, last) = (&self.lease, self.last);
        let is_another = |held: &Arc<Held>| held.get(lease).is_some_and(|tenure| Some(tenure.epoch) != last);
        let held = self.tenancy.held.wait_for(is_another).await.map(|held| Arc::clone(&held));
        let Some(claim) = held.ok().and_then(|held| held.claim(lease)) else {
            return std::future::pending().await;
        };
        self.last = Some(claim.epoch);
        claim
    }

    /// Whether something may be begun under a claim, whenever it is asked: it is held for certain and is not
    /// going. Where `to_the_end`, what goes because the replica ends counts as well.
    pub fn holds(&self, claim: &Claim, to_the_end: bool) -> impl Fn() -> bool + Send + Sync + use<> {
        let (Tenancy { held, ending, .. }, claim) = (self.tenancy.clone(), claim.clone());
        move || {
            let held = held.borrow();
            let tenure = held.get(&claim.lease).filter(|tenure| tenure.epoch == claim.epoch);
            tenure.is_some_and(|tenure| !tenure.is_going || (to_the_end && ending.is_cancelled()))
                && held.is_certain(&claim.lease, Instant::now())
        }
    }

    /// Cancels `leaving` when `holds` ceases to hold because the claim is going; ends when nothing is held under
    /// it any more.
    pub async fn until_gone(&self, claim: &Claim, holds: impl Fn() -> bool, leaving: CancellationToken) {
        let mut held = self.tenancy.held.clone();
        let of = |held: &Held| held.get(&claim.lease).filter(|tenure| tenure.epoch == claim.epoch).cloned();
        // An error says that nobody keeps leases any more.
        let went = held.wait_for(|held| of(held).is_none_or(|tenure| tenure.is_going)).await.is_ok();
        if went && !holds() {
            leaving.cancel();
        }
        let _ = held.wait_for(|held| of(held).is_none()).await;
    }

    /// Says that all is written that was to be under a claim, and that it is used no more.
    pub async fn let_go(&self, claim: Claim) {
        // Nobody hears it once the loop that keeps leases has ended, which has given up all of them.
        let _ = self.tenancy.let_go.send(claim).await;
    }
}
