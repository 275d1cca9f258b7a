//! How far a sink has come, for whoever looks: written by the sink, read at the scrape.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::delivery::RefusalReason;

/// [`Progress::oldest`] while nothing waits.
const NOTHING: i64 = i64::MIN;

/// How far a sink has come. Each figure is true by itself; together they may be of two moments.
#[derive(Debug)]
pub struct Progress {
    sink: Arc<str>,
    latest: watch::Receiver<u64>,
    /// Whether the sink is this replica's.
    is_ours: AtomicBool,
    delivered: AtomicU64,
    parked: AtomicU64,
    failures: [AtomicU64; RefusalReason::ALL.len()],
    /// Wanted entries that were read and not yet delivered.
    queued: AtomicU64,
    /// The last entry that was read.
    read_to: AtomicU64,
    /// When the oldest of the queued was observed, in Unix milliseconds.
    oldest: AtomicI64,
}

impl Progress {
    /// Of a sink that is done with all entries up to one, in a log whose latest entry is watched.
    pub(super) fn new(sink: Arc<str>, cursor: u64, latest: watch::Receiver<u64>) -> Self {
        Self {
            sink,
            latest,
            is_ours: AtomicBool::new(true),
            delivered: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            failures: Default::default(),
            queued: AtomicU64::new(0),
            read_to: AtomicU64::new(cursor),
            oldest: AtomicI64::new(NOTHING),
        }
    }

    /// The name of the sink.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// Whether the sink is this replica's to deliver: of another's, nothing is known here but what was before.
    pub fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }

    /// Events delivered since the start.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Events given up since the start.
    pub fn parked(&self) -> u64 {
        self.parked.load(Ordering::Relaxed)
    }

    /// Attempts that failed since the start, for one reason.
    pub fn failures(&self, reason: RefusalReason) -> u64 {
        self.failures[reason as usize].load(Ordering::Relaxed)
    }

    /// Events that the sink has yet to deliver. Of entries beyond the few hundred that it has read, it
    /// counts those too that it will pass over.
    pub fn pending(&self) -> u64 {
        let unread = self.latest.borrow().saturating_sub(self.read_to.load(Ordering::Relaxed));
        self.queued.load(Ordering::Relaxed) + unread
    }

    /// The age of the oldest event that the sink wants and has yet to deliver; zero when there is none.
    pub fn lag(&self, now: Timestamp) -> Duration {
        match self.oldest.load(Ordering::Relaxed) {
            NOTHING => Duration::ZERO,
            oldest => {
                Duration::from_millis(now.as_millisecond().saturating_sub(oldest).try_into().unwrap_or(0))
            }
        }
    }

    pub(super) fn set_ours(&self, is_ours: bool) {
        self.is_ours.store(is_ours, Ordering::Relaxed);
    }

    pub(super) fn count_delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_parked(&self) {
        self.parked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self, reason: RefusalReason) {
        self.failures[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What waits: so many wanted entries, the oldest of them seen then; everything up to the last one
    /// that was read is among them or done with.
    pub(super) fn waiting(&self, queued: usize, oldest: Option<Timestamp>, read_to: u64) {
        self.queued.store(queued as u64, Ordering::Relaxed);
        self.read_to.store(read_to, Ordering::Relaxed);
        self.oldest.store(oldest.map_or(NOTHING, Timestamp::as_millisecond), Ordering::Relaxed);
    }

    /// Something waits that cannot be read, at least since then unless it was said before.
    pub(super) fn waiting_unread(&self, since: Timestamp) {
        let since = since.as_millisecond();
        // Where it fails, the oldest is known.
        let _ = self.oldest.compare_exchange(NOTHING, since, Ordering::Relaxed, Ordering::Relaxed);
    }
}
