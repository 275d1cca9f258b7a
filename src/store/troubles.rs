//! How often operations on the store have failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{StoreError, Trouble};

/// How often there was each sort of trouble since the store was opened, whoever used it. Clones count
/// together.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<[AtomicU64; Trouble::ALL.len()]>);

impl Troubles {
    /// How often there was this sort.
    pub fn of(&self, trouble: Trouble) -> u64 {
        self.0[trouble as usize].load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, trouble: Trouble, times: u64) {
        self.0[trouble as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// An outcome as it is, counted if it is a failure.
    pub(super) fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        outcome.inspect_err(|error| self.add(error.reason(), 1))
    }
}
