//! Keeping the event log within its bounds of age and number.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::{Bounds, Store, StoreError};
use crate::clock::Clock;
use crate::model::Claim;

/// How often the bounds are looked at. What is too much in between is not worth a second look.
const EVERY: Duration = Duration::from_mins(1);

/// What one transaction has dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// How many entries.
    pub(super) entries: u64,
    /// Of these, how many a sink had yet to deliver.
    pub(super) undelivered: u64,
    /// Whether there is more to drop.
    pub(super) is_more: bool,
}

impl Store {
    /// Drops entries that are too old or too many, in small batches; ends only when it is dropped, or its claim
    /// is refused.
    /// `sinks` are those that may hold entries back; `dropped` hears of entries that a sink had yet to
    /// deliver and that had to go nevertheless. Where several replicas share the store, one at a time does
    /// this, under its claim.
    pub async fn keep_house(
        &self,
        clock: Clock,
        sinks: &watch::Receiver<Vec<String>>,
        claim: Option<&Claim>,
        dropped: impl Fn(u64) + Sync,
    ) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            ticks.tick().await;
            let sinks = sinks.borrow().clone();
            let swept = self.sweep(clock.now(), &sinks, claim, &dropped).await;
            match &swept {
                Err(StoreError::Fenced(claim)) => {
                    tracing::warn!(%claim, "another replica drops old events by now: this one ends doing so");
                    return;
                }
                Ok(()) if is_failing => tracing::info!("the store drops old events again"),
                Ok(()) => {}
                Err(error) if is_failing => tracing::debug!(%error, "old events still cannot be dropped"),
                Err(error) => tracing::warn!(%error, "old events cannot be dropped from the store"),
            }
            is_failing = swept.is_err();
        }
    }

    /// Drops what is too old or too many now.
    pub(super) async fn sweep(
        &self,
        now: Timestamp,
        sinks: &[String],
        claim: Option<&Claim>,
        dropped: &(impl Fn(u64) + Sync),
    ) -> Result<(), StoreError> {
        let Bounds { retention, max_events } = *self.bounds.borrow();
        let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        let before = now.saturating_sub(retention).unwrap_or(Timestamp::MIN);
        while self.engine.drop_old(before, sinks, claim).await?.is_more {}
        self.engine.drop_old_marks(before, claim).await?;

        let mut excess = self.engine.excess(max_events).await?;
        let mut undelivered = 0;
        while excess > 0 {
            let step = self.engine.drop_oldest(excess, sinks, claim).await?;
            if step.undelivered > 0 {
                dropped(step.undelivered);
                undelivered += step.undelivered;
            }
            excess = if step.is_more { excess.saturating_sub(step.entries) } else { 0 };
        }
        if undelivered > 0 {
            tracing::error!(
                events = undelivered,
                "the event log was full: its oldest events were dropped before every sink had them"
            );
        }
        Ok(())
    }
}
