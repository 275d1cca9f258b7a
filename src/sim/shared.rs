//! What the connections and the controls of one simulation share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::principal::Keys;
use super::record::Record;
use super::{Account, World};
use crate::clock::Clock;
use crate::model::AccountId;

/// One simulation.
#[derive(Debug)]
pub(super) struct Shared {
    started: Instant,
    /// The wall time at the start.
    pub(super) epoch: Timestamp,
    /// A lock rather than a task that owns it: tests look and change from wherever they are, and an
    /// answer is computed without awaiting anything, so it is never held over an await.
    state: Mutex<State>,
}

/// All that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) keys: Keys,
    pub(super) record: Record,
    /// How long sessions last, whatever was asked for.
    pub(super) session_lifetime: Option<Duration>,
}

impl State {
    /// An account that exists.
    pub(super) fn account(&mut self, id: AccountId) -> &mut Account {
        self.world.accounts.get_mut(&id).expect("the account exists in the world")
    }
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        let keys = Keys::of(&world);
        let state = State { world, keys, record: Record::default(), session_lifetime: None };
        Self { started: Instant::now(), epoch: Clock::System.now(), state: Mutex::new(state) }
    }

    /// The time from the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The state; one that a panic left is good enough for the test that failed.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
