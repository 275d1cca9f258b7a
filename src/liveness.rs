//! Whether the long-lived loops still turn.
//!
//! A loop that goes to sleep promises when it will be back; one that is long overdue is stuck. A
//! promise costs one atomic store, so even a hundred thousand idle pollers need no waking to prove
//! that they live.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::ScopeId;

/// How late a loop may be before it counts as stuck: far beyond any scheduling delay of a busy
/// machine, well within what an operator would wait for.
const GRACE: Duration = Duration::from_secs(30);

/// The promises of the tracker and of every poller.
#[derive(Debug)]
pub struct Liveness {
    epoch: Instant,
    tracker: AtomicU64,
    pollers: Vec<AtomicU64>,
}

/// A loop that has not come back when it said it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// The tracker.
    #[error("the tracker has not come back when it was due")]
    Tracker,
    /// The poller of this quota scope.
    #[error("the poller of quota scope {} has not come back when it was due", .0.0)]
    Poller(ScopeId),
}

impl Liveness {
    /// Promises for a tracker and one poller a scope, all due now.
    pub fn new(scopes: usize) -> Self {
        Self {
            epoch: Instant::now(),
            tracker: AtomicU64::new(0),
            pollers: (0..scopes).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The tracker will be back by then.
    pub fn tracker_back_by(&self, due: Instant) {
        self.promise(&self.tracker, due);
    }

    /// The poller of a scope will be back by then.
    pub fn poller_back_by(&self, scope: ScopeId, due: Instant) {
        self.promise(&self.pollers[scope.0 as usize], due);
    }

    /// The poller of a scope has nothing to come back for.
    pub fn poller_rests(&self, scope: ScopeId) {
        self.pollers[scope.0 as usize].store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether every loop keeps its promise.
    ///
    /// # Errors
    /// The first one that does not.
    pub fn check(&self, now: Instant) -> Result<(), Stuck> {
        let overdue = |promise: &AtomicU64| {
            let due = Duration::from_millis(promise.load(Ordering::Relaxed));
            now.duration_since(self.epoch) > due.saturating_add(GRACE)
        };
        if overdue(&self.tracker) {
            return Err(Stuck::Tracker);
        }
        match (0..).zip(&self.pollers).find(|(_, promise)| overdue(promise)) {
            Some((index, _)) => Err(Stuck::Poller(ScopeId(index))),
            None => Ok(()),
        }
    }

    fn promise(&self, promise: &AtomicU64, due: Instant) {
        let millis = due.duration_since(self.epoch).as_millis();
        promise.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_stuck_once_it_is_overdue_by_more_than_the_grace() {
        let liveness = Liveness::new(2);
        liveness.tracker_back_by(Instant::now() + Duration::from_secs(3600));
        liveness.poller_back_by(ScopeId(0), Instant::now() + Duration::from_secs(10));
        liveness.poller_rests(ScopeId(1));
        tokio::time::advance(Duration::from_secs(10) + GRACE).await;
        assert_eq!(liveness.check(Instant::now()), Ok(()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(liveness.check(Instant::now()), Err(Stuck::Poller(ScopeId(0))));
        liveness.poller_back_by(ScopeId(0), Instant::now());
        assert_eq!(liveness.check(Instant::now()), Ok(()));
    }
}
