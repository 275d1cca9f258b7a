//! Delivering and keeping house where several replicas share the store: for as long as the lease is held, and
//! from the beginning with each claim to it.
//!
//! When a lease goes, nothing is begun any more; what is under way ends, the place is saved, and only then is let
//! go. When it has vanished, another replica may hold it already: everything is dropped where it stands.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::lease::Tenancy;
use crate::model::{Claim, Lease};
use crate::sink::{Change, Deliver, End, EventLog, Mandate, Sink};

/// Delivers to a sink whenever its lease is held, until it is drained or dismissed. A replica that ends drains
/// the sink first, and then lets go of it.
pub(super) async fn deliver<L: EventLog, D: Deliver>(
    mut sink: Sink<L, D>,
    mut changes: mpsc::Receiver<Change<D>>,
    draining: CancellationToken,
    tenancy: Tenancy,
) {
    let mut tenant = tenancy.tenant(sink.lease());
    loop {
        sink.rest();
        let claim = tokio::select! {
            // What is held has to be let go of, even if it comes at the last moment.
            biased;
            claim = tenant.next() => claim,
            change = changes.recv() => match change {
                Some(change) => {
                    sink.change(change);
                    continue;
                }
                None => return,
            },
            () = draining.cancelled() => return,
        };
        let leaving = CancellationToken::new();
        let holds = tenant.holds(&claim, true);
        let gone = tenant.until_gone(&claim, tenant.holds(&claim, true), leaving.clone());
        sink.take_up(Mandate { claim: claim.clone(), holds: Box::new(holds), leaving });
        let end = tokio::select! {
            biased;
            () = gone => continue,
            end = sink.work(&mut changes, &draining) => end,
        };
        tenant.let_go(claim).await;
        if end == End::Done {
            sink.rest();
            return;
        }
    }
}

/// Keeps house whenever the lease of it is held, as `keep` does under a claim: that ends only when the store
/// refuses the claim, and may be dropped at any time.
pub(super) async fn keep_house<F: Future<Output = ()>>(
    tenancy: Tenancy,
    draining: CancellationToken,
    mut keep: impl FnMut(Claim) -> F,
) {
    let mut tenant = tenancy.tenant(Lease::House);
    loop {
        let claim = tokio::select! {
            biased;
            claim = tenant.next() => claim,
            () = draining.cancelled() => return,
        };
        let leaving = CancellationToken::new();
        let holds = tenant.holds(&claim, false);
        if holds() {
            let gone = tenant.until_gone(&claim, holds, leaving.clone());
            tokio::select! {
                biased;
                () = gone => continue,
                () = leaving.cancelled() => {}
                () = draining.cancelled() => {}
                () = keep(claim.clone()) => {}
            }
        }
        tenant.let_go(claim).await;
    }
}

#[cfg(test)]
mod tests;
