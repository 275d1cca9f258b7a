//! A store that does as the script says, and whose content outlives every process.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use regwatch::model::{Event, EventId};
use regwatch::store::{Batch, Committed, Ledger, SavedState, StoreError, TargetKey};
use tokio::time::{Instant, sleep, sleep_until};

use super::script::{OutageKind, Script, dice};
use super::settings::{Ms, SECOND};

/// The longest that a write takes outside of outages.
const SLOWEST: Ms = 1500;

/// The longest that regwatch waits before it writes again what could not be written.
const RETRY: Ms = 30 * SECOND;

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) states: BTreeMap<TargetKey, SavedState>,
    pub(crate) log: Vec<Event>,
    ids: HashSet<EventId>,
    writes: u64,
    /// Who is said to have answered, and has no state.
    pub(crate) orphans: Vec<TargetKey>,
}

#[derive(Clone)]
pub(crate) struct Paper {
    script: Arc<Script>,
    began: Instant,
    kept: Arc<Mutex<Kept>>,
}

impl Paper {
    pub(crate) fn new(script: Arc<Script>) -> Self {
        Self { script, began: Instant::now(), kept: Arc::default() }
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it is held")
    }

    /// The states of all targets.
    pub(crate) fn states(&self) -> Vec<(TargetKey, SavedState)> {
        self.kept().states.iter().map(|(key, state)| (key.clone(), state.clone())).collect()
    }

    fn write(&self, batch: &Batch) {
        let kept = &mut *self.kept();
        for event in &batch.events {
            if kept.ids.insert(event.id) {
                kept.log.push(event.clone());
            }
        }
        kept.states.extend(batch.states.iter().cloned());
        for (key, at) in &batch.answered {
            match kept.states.get_mut(key) {
                Some(state) => state.last_success = Some(*at),
                None => kept.orphans.push(key.clone()),
            }
        }
    }
}

impl Ledger for Paper {
    async fn commit(&self, batches: Arc<Vec<Batch>>) -> Result<Committed, StoreError> {
        let now = u64::try_from(self.began.elapsed().as_millis()).expect("some weeks");
        let outage = self.script.outages.iter().find(|outage| (outage.from..outage.to).contains(&now));
        let failed = || Err(StoreError::unusable("as scripted"));
        let number = {
            let kept = &mut *self.kept();
            kept.writes += 1;
            kept.writes
        };
        match outage.map(|outage| (outage.kind, outage.to)) {
            None => {
                let mut rng = dice(self.script.seed, "write", number);
                let takes = if rng.bool() { 0 } else { rng.u64(..SLOWEST) };
                let before = rng.u64(..=takes);
                sleep(Duration::from_millis(before)).await;
                batches.iter().for_each(|batch| self.write(batch));
                sleep(Duration::from_millis(takes - before)).await;
                Ok(Committed::default())
            }
            Some((OutageKind::Refuses, _)) => failed(),
            Some((OutageKind::WritesUntold, _)) => {
                batches.iter().for_each(|batch| self.write(batch));
                failed()
            }
            Some((OutageKind::Hangs, until)) => {
                sleep_until(self.began + Duration::from_millis(until)).await;
                failed()
            }
        }
    }
}

impl Script {
    /// Until when something that happened has surely been written, if nobody kills the process.
    pub(crate) fn durable_by(&self, happened: Ms) -> Ms {
        // A write may be under way, and the one after it takes as long.
        let writes = 2 * SLOWEST + SECOND / 2;
        let mut by = happened + writes;
        loop {
            let late = |by: Ms| {
                let felt =
                    self.outages.iter().filter(|outage| outage.from <= by && happened <= outage.to + RETRY);
                felt.map(|outage| outage.to + RETRY + writes).max().unwrap_or_default()
            };
            match late(by) {
                later if later > by => by = later,
                _ => return by,
            }
        }
    }

    /// Whether something that happened may be lost with a process that ended at a time, killed or in order.
    pub(crate) fn may_be_lost(&self, happened: Ms, end: Ms, killed: bool) -> bool {
        end < self.durable_by(happened) && (killed || self.was_in_trouble(happened, end))
    }

    /// Whether the store was in trouble between two times, or is felt to have been.
    fn was_in_trouble(&self, from: Ms, to: Ms) -> bool {
        self.outages.iter().any(|outage| outage.from <= to && from <= outage.to + RETRY)
    }
}
