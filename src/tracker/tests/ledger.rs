//! A store that does as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::model::Event;
use crate::store::{Batch, Committed, Ledger, SavedState, StoreError, TargetKey};

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written, and takes so many milliseconds.
    Written(u64),
    /// Nothing is written.
    Refused,
    /// The same, and it takes so many milliseconds.
    RefusedAfter(u64),
    /// It is written, and yet said to have failed.
    WrittenUntold,
    /// It never ends, and nothing is written.
    Hangs,
}

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) states: BTreeMap<TargetKey, SavedState>,
    pub(super) log: Vec<Event>,
    /// The batches that were written, repeats included.
    pub(super) batches: Vec<Arc<Batch>>,
}

#[derive(Clone, Debug)]
pub(super) struct ScriptedLedger {
    fates: Arc<Mutex<VecDeque<Fate>>>,
    /// How many writes have ended, and what they left behind.
    kept: Arc<watch::Sender<(usize, Kept)>>,
}

impl ScriptedLedger {
    /// With a past, and what becomes of the next writes; those after them are written at once.
    pub(super) fn new(kept: Kept, fates: impl IntoIterator<Item = Fate>) -> Self {
        Self {
            fates: Arc::new(Mutex::new(fates.into_iter().collect())),
            kept: Arc::new(watch::Sender::new((0, kept))),
        }
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept.borrow().1.clone()
    }

    /// Waits until so many writes have ended.
    pub(super) async fn writes(&self, count: usize) {
        let mut ended = self.kept.subscribe();
        ended.wait_for(|(writes, _)| *writes >= count).await.expect("the sender is here");
    }

    pub(super) fn write_count(&self) -> usize {
        self.kept.borrow().0
    }

    fn write(&self, batch: &Batch, written: bool) {
        self.kept.send_modify(|(writes, kept)| {
            *writes += 1;
            if written {
                kept.batches.push(Arc::new(batch.clone()));
                kept.take(batch);
            }
        });
    }
}

impl Kept {
    fn take(&mut self, batch: &Batch) {
        for event in &batch.events {
            if self.log.iter().all(|logged| logged.id != event.id) {
                self.log.push(event.clone());
            }
        }
        for key in &batch.ended {
            self.states.remove(key);
        }
        self.states.extend(batch.states.iter().cloned());
        for (key, at) in &batch.answered {
            self.states.get_mut(key).expect("who answered has a state").last_success = Some(*at);
        }
    }
}

impl Ledger for ScriptedLedger {
    async fn commit(&self, batches: Arc<Vec<Batch>>) -> Result<Committed, StoreError> {
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Written(0));
        match fate {
            Fate::Written(millis) | Fate::RefusedAfter(millis) => sleep(Duration::from_millis(millis)).await,
            Fate::Hangs => std::future::pending().await,
            Fate::Refused | Fate::WrittenUntold => {}
        }
        for batch in &*batches {
            self.write(batch, !matches!(fate, Fate::Refused | Fate::RefusedAfter(_)));
        }
        match fate {
            Fate::Written(_) => Ok(Committed::default()),
            _ => Err(StoreError::unusable("as scripted")),
        }
    }
}
