//! A sink that is this replica's for a time: what it begins with, and what it may begin.

use std::sync::Arc;

use tokio::time::Instant;

use super::Sink;
use crate::model::Lease;
use crate::sink::{Deliver, EventLog, Mandate};

impl<L: EventLog, D: Deliver> Sink<L, D> {
    /// The lease that whoever delivers holds, where several replicas share the log.
    pub fn lease(&self) -> Lease {
        Lease::Sink(Arc::clone(&self.name))
    }

    /// Is to deliver for as long as a mandate lasts, from the place that the store knows then: another replica
    /// may have moved it. Nothing is left of what was before, but the counters.
    pub fn take_up(&mut self, mandate: Mandate) {
        self.bookmark.take_up(mandate.claim.clone());
        self.mandate = Some(mandate);
        self.trouble = None;
        self.queue.clear();
    }

    /// Is another replica's from now on, or nobody's, until it is taken up: it is on no page here.
    pub fn rest(&self) {
        self.progress.set_ours(false);
    }

    /// Whether a delivery may be begun at this moment.
    pub(super) fn may_begin(&self) -> bool {
        !self.bookmark.is_fenced() && self.mandate.as_ref().is_none_or(|mandate| (mandate.holds)())
    }

    /// Finds the place in the log that a new mandate begins at; or tells when to try again.
    pub(super) async fn find(&mut self) -> Result<(), Instant> {
        if !self.bookmark.is_found() {
            self.read_to = self.bookmark.find().await?;
            self.show();
            self.progress.set_ours(true);
        }
        Ok(())
    }
}
