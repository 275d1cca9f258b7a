//! The loop of a sink: one event after another, in the order of the log, at least once each.

mod tenure;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bookmark::{Bookmark, EventLog};
use super::delivery::{Deliver, Refusal, RefusalReason};
use super::mandate::Mandate;
use super::progress::Progress;
use crate::clock::Clock;
use crate::config::On;
use crate::model::Entry;
use crate::schedule::Backoff;
use crate::store::StoreError;

/// How many entries a sink holds at most, however long its receiver is down: some 250 kB.
const BATCH: usize = 256;

/// The first and the longest delay after a delivery that failed, but for what the receiver asks.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// A sink: what it wants, where it brings it, and how far it has come.
#[derive(Debug)]
pub struct Sink<L, D> {
    name: Arc<str>,
    wanted: On,
    receiver: D,
    bookmark: Bookmark<L>,
    /// Where one replica at a time may deliver.
    mandate: Option<Mandate>,
    latest: watch::Receiver<u64>,
    /// Wanted entries, the next one first.
    queue: VecDeque<Entry>,
    /// The last entry that was read; everything up to it is queued or done with.
    read_to: u64,
    progress: Arc<Progress>,
    trouble: Option<Trouble>,
    rng: fastrand::Rng,
    clock: Clock,
}

/// Another receiver for a sink that is at work, and what it wants from now on.
pub type Change<D> = (On, D);

/// What stands between the next event and its receiver.
#[derive(Debug)]
struct Trouble {
    /// Why the last try failed.
    reason: RefusalReason,
    /// How often the event was tried in a way that may end in giving it up.
    tries: u32,
    backoff: Backoff,
}

/// How a turn of the loop has ended.
enum Turn {
    /// There may be more to do.
    Onward,
    /// There is nothing to deliver.
    Dry,
    /// Nothing can be done before then.
    Blocked(Instant),
    /// Nothing may be done any more: another replica is to deliver.
    Barred,
}

/// Why a sink has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All there was to deliver is delivered or cannot be, or it was dismissed.
    Done,
    /// It is to deliver no more under its mandate.
    Barred,
}

impl<L: EventLog, D: Deliver> Sink<L, D> {
    /// A sink that goes on where it was, or, if the store never heard of it, begins with whatever comes
    /// from now on: so it is opened before anything is written.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn open(
        name: Arc<str>,
        wanted: On,
        receiver: D,
        log: L,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let latest = log.latest();
        let bookmark = Bookmark::open(log, Arc::clone(&name)).await?;
        let read_to = bookmark.saved();
        let progress = Arc::new(Progress::new(Arc::clone(&name), read_to, latest.clone()));
        let (queue, rng) = (VecDeque::new(), fastrand::Rng::new());
        Ok(Self {
            name,
            wanted,
            receiver,
            bookmark,
            mandate: None,
            latest,
            queue,
            read_to,
            progress,
            trouble: None,
            rng,
            clock,
        })
    }

    /// How far it has come, to look at.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// As [`Sink::work`], for good.
    pub async fn run(mut self, mut changes: mpsc::Receiver<Change<D>>, draining: CancellationToken) {
        self.work(&mut changes, &draining).await;
    }

    /// Delivers until `draining` is cancelled, which says that nothing is written any more. Then it
    /// delivers what is there, and ends; one whose receiver does not take it is tried once more. It goes on
    /// with another receiver when one comes, and ends at once when none can come any more; a delivery that
    /// is under way then is given up, and made again by whoever is next.
    ///
    /// Under a mandate it ends as well when that does not hold any more: nothing is begun then, and a delivery
    /// that is under way ends by itself. It may be dropped at any time.
    pub async fn work(
        &mut self,
        changes: &mut mpsc::Receiver<Change<D>>,
        draining: &CancellationToken,
    ) -> End {
        let leaving = self.mandate.as_ref().map(|mandate| mandate.leaving.clone()).unwrap_or_default();
        // Where others write as well, what comes while it is drained is theirs to deliver.
        let mut last = None;
        let end = loop {
            // Looked at before the turn, which then sees everything that was ever written.
            let is_complete = draining.is_cancelled();
            if is_complete && self.is_done_to(*last.get_or_insert_with(|| *self.latest.borrow())) {
                break End::Done;
            }
            let turn = tokio::select! {
                biased;
                change = changes.recv() => match change {
                    Some(change) => {
                        self.change(change);
                        continue;
                    }
                    None => break End::Done,
                },
                turn = self.turn() => turn,
            };
            let (wake, is_dry) = match turn {
                Turn::Onward => continue,
                Turn::Barred => break End::Barred,
                _ if is_complete => break End::Done,
                Turn::Dry => (self.bookmark.save_due(self.cursor()), true),
                Turn::Blocked(until) => (Some(until), false),
            };
            tokio::select! {
                // It cannot fail: the sink's own log has the sender.
                _ = self.latest.changed(), if is_dry => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                () = draining.cancelled() => {}
                () = leaving.cancelled() => break End::Barred,
                change = changes.recv() => match change {
                    Some(change) => self.change(change),
                    None => break End::Done,
                },
            }
        };
        if self.bookmark.save_due(self.cursor()).is_some() {
            self.bookmark.save(self.cursor()).await;
        }
        end
    }

    /// Goes on with another receiver: at once, whatever stood between the one before and the next event.
    pub fn change(&mut self, (wanted, receiver): Change<D>) {
        let cursor = self.cursor();
        self.receiver = receiver;
        self.trouble = None;
        // What was passed over so far stays so; what waits is looked at anew.
        self.wanted = wanted;
        self.queue.clear();
        self.read_to = cursor;
        self.show();
    }

    /// Delivers the next event, if there is one. May be dropped at any time.
    async fn turn(&mut self) -> Turn {
        let readable = match self.find().await {
            Ok(()) => self.refill().await,
            Err(until) => Err(until),
        };
        if !self.may_begin() {
            return Turn::Barred;
        }
        let Some(entry) = self.queue.front() else {
            self.bookmark.keep(self.cursor(), true).await;
            return readable.map_or_else(Turn::Blocked, |()| Turn::Dry);
        };
        let blocked = match self.receiver.deliver(entry).await {
            Ok(()) => {
                self.delivered();
                None
            }
            Err(refusal) => self.refused(&refusal),
        };
        self.show();
        self.bookmark.keep(self.cursor(), blocked.is_some()).await;
        blocked.map_or(Turn::Onward, Turn::Blocked)
    }

    /// Whether nothing up to an entry is left to be done.
    fn is_done_to(&self, last: u64) -> bool {
        self.bookmark.is_found() && self.cursor() >= last
    }

    /// Reads on where there is room; or tells when to try again.
    async fn refill(&mut self) -> Result<(), Instant> {
        let latest = *self.latest.borrow_and_update();
        let room = self.queue.len() <= BATCH / 2 && self.bookmark.unsaved_parked() < BATCH;
        while room && self.queue.len() < BATCH && self.read_to < latest {
            let limit = BATCH - self.queue.len();
            let read = self.bookmark.read(self.read_to, u32::try_from(limit).unwrap_or(u32::MAX)).await;
            let entries = read.inspect_err(|_| self.progress.waiting_unread(self.clock.now()))?;
            // Fewer than there is room for: the log was read to its end, even if that was pruned away.
            let end = if entries.len() < limit { latest } else { 0 };
            self.read_to = entries.last().map_or(end, |entry| entry.sequence.max(end));
            self.queue.extend(entries.into_iter().filter(|entry| self.wanted.wants(&entry.event)));
            self.show();
        }
        Ok(())
    }

    /// The last entry that the sink is done with, passed over or delivered.
    fn cursor(&self) -> u64 {
        self.queue.front().map_or(self.read_to, |next| next.sequence - 1)
    }

    /// Is done with the next event.
    fn delivered(&mut self) {
        self.queue.pop_front();
        self.bookmark.delivered();
        self.progress.count_delivered();
        if let Some(Trouble { reason, .. }) = self.trouble.take() {
            tracing::info!(sink = &*self.name, reason = reason.as_str(), "delivery has recovered");
        }
    }

    /// Takes note that the next event was not taken: gives it up, or tells when to try again.
    fn refused(&mut self, refusal: &Refusal) -> Option<Instant> {
        let Refusal { reason, detail, retry_after } = refusal;
        let sink = &*self.name;
        self.progress.count_failure(*reason);
        let entry = self.queue.front().expect("it was just tried");
        let (sequence, id) = (entry.sequence, entry.event.id);
        let before = self.trouble.as_ref().map(|trouble| trouble.reason);
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            reason: *reason,
            tries: 0,
            backoff: Backoff::new(DELAYS.0, DELAYS.1),
        });
        trouble.reason = *reason;
        trouble.tries += u32::from(reason.tries().is_some());
        let tries = trouble.tries;
        if reason.tries().is_some_and(|most| tries >= most) {
            tracing::error!(
                sink, event.id = %id, sequence, reason = reason.as_str(), detail, tries,
                "an event could not be delivered and is given up; going on with the next"
            );
            self.queue.pop_front();
            self.bookmark.park(sequence, format!("{}: {detail}", reason.as_str()));
            self.progress.count_parked();
            self.trouble = None;
            return None;
        }
        let delay = trouble.backoff.next(&mut self.rng).max(retry_after.unwrap_or_default());
        let retry_in_seconds = delay.as_secs_f32();
        if before == Some(*reason) {
            tracing::debug!(sink, event.id = %id, sequence, reason = reason.as_str(), detail, retry_in_seconds, "delivery failed");
        } else {
            tracing::warn!(
                sink, event.id = %id, sequence, reason = reason.as_str(), detail, retry_in_seconds,
                "delivery fails; events wait until it succeeds"
            );
        }
        Some(Instant::now() + delay)
    }

    /// Lets others see what waits.
    fn show(&self) {
        let oldest = self.queue.front().map(|entry| entry.event.transition.observed_at);
        self.progress.waiting(self.queue.len(), oldest, self.read_to);
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
