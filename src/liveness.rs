//! Whether the long-lived loops still turn.
//!
//! A loop that goes to sleep promises when it will be back; one that is long overdue is stuck. Keeping a
//! promise up to date costs one atomic store, so even a hundred thousand idle pollers need no waking to
//! prove that they live. Each loop owns its promise, which is taken back when it ends: loops come and go
//! with the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Caller, Region, Service};

/// How late a loop may be before it counts as stuck: far beyond any scheduling delay of a busy
/// machine, well within what an operator would wait for.
const GRACE: Duration = Duration::from_secs(30);

/// A loop that says when it will be back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loop {
    /// The tracker.
    Tracker,
    /// The poller of a quota scope.
    Poller {
        /// The service that counts.
        service: Service,
        /// The region that counts.
        region: Region,
        /// Who calls.
        caller: Caller,
    },
    /// What lists organizations.
    Discovery {
        /// Who calls.
        caller: Caller,
    },
    /// What keeps the leases of this replica.
    Leases,
    /// What follows the part of the fleet that other replicas hold.
    Mirror,
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = match self {
            Self::Tracker => return f.write_str("tracker"),
            Self::Leases => return f.write_str("keeper of leases"),
            Self::Mirror => return f.write_str("mirror of the fleet"),
            Self::Poller { service, region, caller } => {
                write!(f, "poller of {} in {region} ", service.as_str())?;
                caller
            }
            Self::Discovery { caller } => {
                f.write_str("discovery of organizations ")?;
                caller
            }
        };
        match caller {
            Caller::Account(account) => write!(f, "for account {account}"),
            Caller::Identity(identity) => write!(f, "for identity `{identity}`"),
        }
    }
}

/// The promises of all loops that run.
#[derive(Debug)]
pub struct Liveness {
    epoch: Instant,
    /// A lock, since loops begin and end anywhere; for the length of a map access, or of a health check.
    /// What a loop does each turn goes past it.
    registered: Mutex<Registered>,
}

#[derive(Debug, Default)]
struct Registered {
    next: u64,
    promises: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    who: Loop,
    /// When the loop will be back, in milliseconds from the epoch.
    due: AtomicU64,
}

/// The word of one loop. Dropping it takes it back.
#[derive(Debug)]
pub struct Promise {
    liveness: Arc<Liveness>,
    number: u64,
    entry: Arc<Entry>,
}

/// A loop that has not come back when it said it would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} has not come back when it was due")]
pub struct Stuck(pub Loop);

impl Liveness {
    /// No loop runs yet.
    pub fn new() -> Self {
        Self { epoch: Instant::now(), registered: Mutex::default() }
    }

    /// The promise of a loop that begins: it is due now.
    pub fn promise(self: &Arc<Self>, who: Loop) -> Promise {
        let entry = Arc::new(Entry { who, due: AtomicU64::new(self.millis(Instant::now())) });
        let mut registered = self.registered();
        let number = registered.next;
        registered.next += 1;
        registered.promises.insert(number, Arc::clone(&entry));
        Promise { liveness: Arc::clone(self), number, entry }
    }

    /// Whether every loop keeps its promise.
    ///
    /// # Errors
    /// The one that has run for the longest of those that do not.
    pub fn check(&self, now: Instant) -> Result<(), Stuck> {
        let now = now.duration_since(self.epoch);
        let overdue = |entry: &&Arc<Entry>| {
            now > Duration::from_millis(entry.due.load(Ordering::Relaxed)).saturating_add(GRACE)
        };
        match self.registered().promises.values().find(overdue) {
            Some(entry) => Err(Stuck(entry.who.clone())),
            None => Ok(()),
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    /// A map is whole at any moment, so one that a panic left is as good as any.
    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self::new()
    }
}

impl Promise {
    /// Whose it is.
    pub fn who(&self) -> &Loop {
        &self.entry.who
    }

    /// The loop will be back by then.
    pub fn back_by(&self, due: Instant) {
        self.entry.due.store(self.liveness.millis(due), Ordering::Relaxed);
    }

    /// The loop has nothing to come back for.
    pub fn rests(&self) {
        self.entry.due.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.liveness.registered().promises.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poller(identity: &str) -> Loop {
        let (region, caller) = (Region::new("us-east-1"), Caller::Identity(identity.into()));
        Loop::Poller { service: Service::Account, region, caller }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_stuck_once_it_is_overdue_by_more_than_the_grace() {
        let liveness = Arc::new(Liveness::new());
        let (tracker, hub) = (liveness.promise(Loop::Tracker), liveness.promise(poller("hub")));
        let idle = liveness.promise(poller("idle"));
        tracker.back_by(Instant::now() + Duration::from_secs(3600));
        hub.back_by(Instant::now() + Duration::from_secs(10));
        idle.rests();
        tokio::time::advance(Duration::from_secs(10) + GRACE).await;
        assert_eq!(liveness.check(Instant::now()), Ok(()));
        tokio::time::advance(Duration::from_millis(1)).await;
        let stuck = liveness.check(Instant::now()).unwrap_err();
        let said = "the poller of account in us-east-1 for identity `hub` has not come back when it was due";
        assert_eq!(stuck.to_string(), said);
        hub.back_by(Instant::now());
        assert_eq!(liveness.check(Instant::now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_owes_nothing() {
        let liveness = Arc::new(Liveness::new());
        let promise = liveness.promise(poller("hub"));
        tokio::time::advance(GRACE * 2).await;
        assert_eq!(liveness.check(Instant::now()), Err(Stuck(poller("hub"))));
        drop(promise);
        assert_eq!(liveness.check(Instant::now()), Ok(()));
        assert!(liveness.registered().promises.is_empty());
    }
}
