//! How a replica ends: it hands over all that it holds, and leaves.

use std::sync::Arc;

use super::Keeper;
use super::request::Request;
use crate::metrics::Handover;
use crate::store::Leases;

impl<L: Leases> Keeper<L> {
    /// Whether nothing is left but to leave.
    pub(super) fn is_done(&self) -> bool {
        self.is_ending && self.held.tenures().len() == 0
    }

    /// From now on everything goes, and nothing comes.
    pub(super) fn begin_to_end(&mut self) {
        self.is_ending = true;
        self.to_take.clear();
        let all: Vec<_> = self.held.tenures().map(|(lease, _)| lease.clone()).collect();
        all.iter().for_each(|lease| self.give_up(lease));
    }

    /// Ends without those who have not let go, or without the store.
    pub(super) async fn give_in(&mut self) {
        for claim in std::mem::take(&mut self.held).claims() {
            tracing::warn!(%claim, "a lease is left to expire: what was done under it has not ended in time");
            self.count(&claim, Handover::Expired);
        }
        let leave = Request::leave(Arc::clone(&self.leases), self.me.clone(), self.terms.patience());
        if let Err(failed) = leave.outcome.await {
            let error = &failed as &dyn std::error::Error;
            tracing::warn!(
                error,
                "the replica could not say that it ends; the others see it when its lease is over"
            );
        }
    }
}
