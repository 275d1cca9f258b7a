//! What is not in the store yet, and how it gets there.
//!
//! One write is under way at a time, and whatever happens meanwhile goes with the next: the slower the
//! store, the larger the batches. A target's state and the events that led to it always go together. A
//! write that fails may have succeeded nevertheless; it is made again, with what has come since, and
//! the ids of the events keep the log from having any of them twice.

mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

#[cfg(test)]
pub(super) use self::waiting::MANY;
use self::waiting::{Gone, Past, Waiting};
use crate::metrics::Metrics;
use crate::model::{Claim, Event, Snapshot, Succession, Target, TargetId};
use crate::schedule::Backoff;
use crate::store::{Committed, Ledger, SavedState, Silence, StoreError, TargetKey};

/// How soon a write that failed is made again, at first and at the latest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How often it is written who has answered with nothing new.
pub(super) const FLUSH: Duration = Duration::from_secs(60);

/// What is not in the store yet.
pub(super) struct Outbox<L> {
    ledger: L,
    metrics: Arc<Metrics>,
    waiting: Waiting,
    flush_at: Instant,
    under_way: Option<Write>,
    trouble: Option<Trouble>,
    /// Of targets that are gone, what was written since the last adoption: who has read the store for the
    /// next one meanwhile may have read what was there before.
    left_behind: BTreeMap<Past, Gone>,
    /// Who waits until all is written that there was when they asked.
    barriers: Vec<oneshot::Sender<()>>,
    random: fastrand::Rng,
}

/// A write under way, and what waits again if it fails.
struct Write {
    outcome: BoxFuture<'static, Result<Committed, StoreError>>,
    content: Waiting,
    barriers: Vec<oneshot::Sender<()>>,
}

/// The last write failed.
struct Trouble {
    retry_at: Instant,
    backoff: Backoff,
}

impl<L: Ledger + Clone> Outbox<L> {
    pub(super) fn new(ledger: L, metrics: Arc<Metrics>) -> Self {
        Self {
            ledger,
            metrics,
            waiting: Waiting::default(),
            flush_at: Instant::now() + FLUSH,
            under_way: None,
            trouble: None,
            left_behind: BTreeMap::new(),
            barriers: Vec::new(),
            random: fastrand::Rng::new(),
        }
    }

    /// A target answered.
    pub(super) fn answered(&mut self, target: TargetId) {
        self.waiting.answered(target);
    }

    /// A target was heard of, before and now; in between it may have been silent. The end of a silence is
    /// written with the answer that ended it: a crash loses both or none.
    pub(super) fn heard(
        &mut self,
        id: TargetId,
        target: &Target,
        claim: Option<&Claim>,
        answers: (Option<Timestamp>, Option<Timestamp>),
    ) {
        let (Some(from), Some(until)) = answers else { return };
        let allowed = SignedDuration::try_from(target.polling.stale_after).unwrap_or(SignedDuration::MAX);
        if until.duration_since(from) >= allowed {
            self.waiting.silent(id, claim.cloned(), Silence { target: target.into(), from, until });
        }
    }

    /// Something else is known of a target than is kept.
    pub(super) fn changed(&mut self, target: TargetId) {
        self.waiting.changed(target);
    }

    /// Something happened, and was seen under a claim.
    pub(super) fn push(&mut self, claim: Option<&Claim>, event: Event) {
        self.waiting.push(claim.cloned(), event);
        self.count();
    }

    /// AWS asks for so long a pause in a quota scope that whoever takes it over should know.
    pub(super) fn gate(&mut self, scope: String, claim: Option<&Claim>, until: Timestamp) {
        self.waiting.gate(scope, claim.cloned(), until);
    }

    /// Tells when all is in the store that there is now, or is refused for ever.
    pub(super) fn tell_when_written(&mut self, barrier: oneshot::Sender<()>) {
        self.barriers.push(barrier);
    }

    /// A target has come to its end: its events say so, and nothing of it is kept.
    pub(super) fn end(
        &mut self,
        id: TargetId,
        target: &Target,
        claim: Option<&Claim>,
        events: impl IntoIterator<Item = Event>,
    ) {
        for waiting in self.all_mut() {
            waiting.drop_state(id);
        }
        self.waiting.end(target.into(), claim.cloned());
        for event in events {
            self.waiting.push(claim.cloned(), event);
        }
        self.count();
    }

    /// Another generation takes over. What is not written yet of targets that are gone still will be.
    pub(super) fn adopt(&mut self, succession: &Succession, before: &Snapshot) {
        for waiting in self.all_mut() {
            waiting.adopt(succession, before);
        }
    }

    /// What is not written yet of a target that had gone and has come back, or was not when the store was
    /// read: nothing in the store is newer.
    pub(super) fn come_back(
        &mut self,
        key: &TargetKey,
        target: TargetId,
        claim: Option<&Claim>,
    ) -> Option<SavedState> {
        let past = (key.clone(), claim.cloned());
        // Where several have it they agree, for nothing happens to what is gone.
        let unwritten = self.all_mut().filter_map(|waiting| waiting.come_back(&past, target)).last();
        let written = self.left_behind.remove(&past);
        unwritten.or_else(|| Some(written?.state))
    }

    /// Another generation has taken over. The store is read anew for the next.
    pub(super) fn adopted(&mut self) {
        self.left_behind.clear();
    }

    /// What waits, and what is being written and may have to be written again.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        std::iter::once(&mut self.waiting).chain(self.under_way.as_mut().map(|write| &mut write.content))
    }

    /// Begins a write if there is something to write and nothing stands against it.
    pub(super) fn begin(&mut self, snapshot: &Snapshot) {
        let now = Instant::now();
        if self.under_way.is_some() || self.trouble.as_ref().is_some_and(|trouble| trouble.retry_at > now) {
            return;
        }
        let flush = now >= self.flush_at || !self.barriers.is_empty();
        if flush {
            self.flush_at = now + FLUSH;
        }
        let barriers = std::mem::take(&mut self.barriers);
        if self.waiting.is_empty() || (!flush && !self.waiting.is_urgent()) {
            barriers.into_iter().for_each(open);
            return;
        }
        // Together with something else it costs next to nothing to write who answered.
        let content = std::mem::take(&mut self.waiting);
        let batches = Arc::new(content.batches(snapshot));
        let ledger = self.ledger.clone();
        let outcome = Box::pin(async move { ledger.commit(batches).await });
        self.under_way = Some(Write { outcome, content, barriers });
    }

    /// Waits until there may be something to begin. May be dropped at any time.
    pub(super) async fn turn(&mut self) {
        let Some(write) = &mut self.under_way else {
            return sleep_until(self.trouble.as_ref().map_or(self.flush_at, |t| t.retry_at)).await;
        };
        let outcome = write.outcome.as_mut().await;
        let Write { content, mut barriers, .. } = self.under_way.take().expect("it has just ended");
        match outcome {
            Ok(committed) => {
                self.succeeded(content, &committed);
                barriers.into_iter().for_each(open);
            }
            Err(error) => {
                self.failed(content, &error);
                self.barriers.append(&mut barriers);
            }
        }
        self.count();
    }

    fn succeeded(&mut self, content: Waiting, committed: &Committed) {
        for claim in &committed.fenced {
            tracing::warn!(
                %claim,
                "what was seen under a lease that another replica holds now is not written: that one finds out anew"
            );
        }
        self.left_behind.extend(content.into_gone());
        if self.trouble.take().is_some() {
            tracing::info!("the store can be written again");
        }
    }

    fn failed(&mut self, content: Waiting, error: &StoreError) {
        self.metrics.store_write_failed();
        self.waiting.put_back(content);
        // What failed may have been a flush alone.
        self.flush_at = Instant::now();
        let mut backoff = match self.trouble.take() {
            Some(Trouble { backoff, .. }) => {
                tracing::debug!(error = error as &dyn std::error::Error, "the store still cannot be written");
                backoff
            }
            None => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "the store cannot be written: what happens waits in memory, and no sink hears of it"
                );
                Backoff::new(RETRY.0, RETRY.1)
            }
        };
        let retry_at = Instant::now() + backoff.next(&mut self.random);
        self.trouble = Some(Trouble { retry_at, backoff });
    }

    /// Writes all that there is, as often as it takes.
    pub(super) async fn drain(&mut self, snapshot: &Snapshot) {
        self.flush_at = Instant::now();
        self.begin(snapshot);
        while self.under_way.is_some() || !self.waiting.is_empty() {
            self.turn().await;
            self.flush_at = Instant::now();
            self.begin(snapshot);
        }
    }

    /// How many events are not in the store yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way.as_ref().map_or(0, |write| write.content.len())
    }

    fn count(&self) {
        self.metrics.store_pending(self.len());
    }
}

/// Who waits may have gone: the daemon is ending.
fn open(barrier: oneshot::Sender<()>) {
    let _ = barrier.send(());
}
