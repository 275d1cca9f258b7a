//! How many calls the process may have in flight, over all services.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The call slots of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    /// How many slots there are to be, in the end.
    size: Arc<AtomicUsize>,
    /// How many were taken away while they were in use: they are not given back.
    owed: Arc<AtomicUsize>,
}

/// A slot in use; dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    owed: Arc<AtomicUsize>,
}

impl Slots {
    pub(super) fn new(size: usize) -> Self {
        let free = Arc::new(Semaphore::new(size));
        Self { free, size: Arc::new(AtomicUsize::new(size)), owed: Arc::default() }
    }

    /// Waits for a slot.
    pub(super) async fn take(&self) -> Slot {
        let free = Arc::clone(&self.free);
        let permit = free.acquire_owned().await.expect("the semaphore is never closed");
        Slot { permit: Some(permit), owed: Arc::clone(&self.owed) }
    }

    /// Changes how many there are. Where there are to be fewer, no call is broken off: those in flight
    /// end, and their slots with them. One caller at a time.
    pub(super) fn resize(&self, size: usize) {
        let before = self.size.swap(size, Ordering::Relaxed);
        if let Some(more) = size.checked_sub(before) {
            let forgiven = (0..more).take_while(|_| pay(&self.owed)).count();
            self.free.add_permits(more - forgiven);
        } else {
            let fewer = before - size;
            self.owed.fetch_add(fewer - self.free.forget_permits(fewer), Ordering::Relaxed);
        }
    }
}

/// Takes one off what is owed; false if nothing is.
fn pay(owed: &AtomicUsize) -> bool {
    owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1)).is_ok()
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take().filter(|_| pay(&self.owed)) {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However the number changes while slots are taken and freed, in the end it is what was last said.
        #[test]
        fn the_last_word_holds(
            begin in 1..8usize,
            steps in prop::collection::vec((0..3u8, 1..8usize), 0..40),
        ) {
            let slots = Slots::new(begin);
            let mut taken = Vec::new();
            let mut size = begin;
            for (what, number) in steps {
                match what {
                    0 => {
                        size = number;
                        slots.resize(size);
                    }
                    1 => drop(taken.pop()),
                    _ => taken.extend(futures_util::FutureExt::now_or_never(slots.take())),
                }
                prop_assert!(slots.free.available_permits() == 0 || taken.len() < size);
            }
            taken.clear();
            prop_assert_eq!(slots.free.available_permits(), size);
        }
    }
}
