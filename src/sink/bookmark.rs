//! A sink's place in the event log: reading on from it, and saving it. A store that cannot be used is
//! left alone for a while and tried again; it stops nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::{Claim, Entry};
use crate::schedule::Backoff;
use crate::store::{EventQuery, Store, StoreError};

/// How long an event that was delivered may stay unsaved while more follow: what is delivered twice
/// after a crash, against a write for each.
const SAVE_DELIVERED: Duration = Duration::from_secs(1);

/// The same for entries that were only passed over, which costs no more than reading them again. It is
/// what an idle sink may hold back from being pruned.
const SAVE_PASSED_OVER: Duration = Duration::from_secs(60);

/// The first and the longest delay after the store could not be used. An event may be waiting behind it.
const STORE_DELAYS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// What a sink needs of the store.
pub trait EventLog: Send + Sync {
    /// As [`Store::latest`].
    fn latest(&self) -> watch::Receiver<u64>;

    /// As [`Store::cursor`].
    ///
    /// # Errors
    /// If the store cannot be used.
    fn cursor(&self, sink: &str) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The entries after one, the oldest first, at most so many.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read(&self, after: u64, limit: u32) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// As [`Store::advance`].
    ///
    /// # Errors
    /// If the store cannot be written, or the claim is stale.
    fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl EventLog for Store {
    fn latest(&self) -> watch::Receiver<u64> {
        self.latest()
    }

    async fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        self.cursor(sink).await
    }

    async fn read(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.events(&EventQuery::after(after, limit)).await
    }

    async fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        self.advance(sink, cursor, parked, claim).await
    }
}

/// A sink's place in the event log.
#[derive(Debug)]
pub(super) struct Bookmark<L> {
    log: L,
    sink: Arc<str>,
    /// Under what it is moved, where one replica at a time may.
    claim: Option<Claim>,
    /// Whether the place is the one that the store knows: under another claim somebody else may have moved it.
    is_found: bool,
    /// Whether the store has refused the claim, for ever.
    is_fenced: bool,
    saved: u64,
    saved_at: Instant,
    /// Whether an event was delivered since it was saved.
    delivered: bool,
    /// What was given up since it was saved, and why.
    parked: Vec<(u64, String)>,
    reading: Health,
    writing: Health,
}

impl<L: EventLog> Bookmark<L> {
    /// The place that the store knows.
    pub(super) async fn open(log: L, sink: Arc<str>) -> Result<Self, StoreError> {
        Ok(Self {
            claim: None,
            is_found: true,
            is_fenced: false,
            saved: log.cursor(&sink).await?,
            saved_at: Instant::now(),
            delivered: false,
            parked: Vec::new(),
            reading: Health::new("a sink cannot read the event log"),
            writing: Health::new(
                "a sink cannot save how far it has come; after a crash it will repeat itself",
            ),
            log,
            sink,
        })
    }

    /// Is to be moved under a claim from now on. What was known of the place under another is forgotten, and
    /// with it what was not saved: whoever had the sink meanwhile knows better.
    pub(super) fn take_up(&mut self, claim: Claim) {
        self.claim = Some(claim);
        (self.is_found, self.is_fenced) = (false, false);
        self.delivered = false;
        self.parked.clear();
    }

    /// Whether the store has refused the claim.
    pub(super) fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    /// Whether it is known where the sink is.
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Finds the place that the store knows; or tells when to ask again, while the store cannot be read.
    pub(super) async fn find(&mut self) -> Result<u64, Instant> {
        self.reading.check()?;
        let found = self.log.cursor(&self.sink).await;
        self.saved = self.reading.heard(&self.sink, found)?;
        (self.saved_at, self.is_found) = (Instant::now(), true);
        Ok(self.saved)
    }

    /// The last entry that the store knows the sink to be done with.
    pub(super) fn saved(&self) -> u64 {
        self.saved
    }

    /// How many events were given up since the place was saved.
    pub(super) fn unsaved_parked(&self) -> usize {
        self.parked.len()
    }

    /// Takes note that an event was delivered.
    pub(super) fn delivered(&mut self) {
        self.delivered = true;
    }

    /// Takes note that an event was given up.
    pub(super) fn park(&mut self, sequence: u64, why: String) {
        self.parked.push((sequence, why));
    }

    /// Entries after one; or when to ask again, while the store cannot be read.
    pub(super) async fn read(&mut self, after: u64, limit: u32) -> Result<Vec<Entry>, Instant> {
        self.reading.check()?;
        let read = self.log.read(after, limit).await;
        self.reading.heard(&self.sink, read)
    }

    /// Saves the place if it is time to.
    pub(super) async fn keep(&mut self, cursor: u64, is_resting: bool) {
        let due = self.saved_at + if is_resting { Duration::ZERO } else { SAVE_DELIVERED };
        if self.save_due(cursor).is_some_and(|earliest| earliest.max(due) <= Instant::now()) {
            self.save(cursor).await;
        }
    }

    /// When a sink that rests should save its place, if there is anything to save.
    pub(super) fn save_due(&self, cursor: u64) -> Option<Instant> {
        let is_dirty = self.delivered || !self.parked.is_empty();
        let due = self.saved_at + if is_dirty { Duration::ZERO } else { SAVE_PASSED_OVER };
        let is_due = self.is_found && !self.is_fenced && (is_dirty || cursor > self.saved);
        is_due.then_some(self.writing.retry_at.map_or(due, |at| at.max(due)))
    }

    /// Saves the place.
    pub(super) async fn save(&mut self, cursor: u64) {
        let written = self.log.advance(&self.sink, cursor, &self.parked, self.claim.as_ref()).await;
        if let Err(StoreError::Fenced(claim)) = &written {
            self.is_fenced = true;
            tracing::warn!(
                sink = &*self.sink, %claim,
                "the sink is another replica's by now: this one ends delivering, and what it has not saved comes again"
            );
            return;
        }
        if self.writing.heard(&self.sink, written).is_ok() {
            self.saved = cursor;
            self.saved_at = Instant::now();
            self.delivered = false;
            self.parked.clear();
        }
    }
}

/// Whether the store can be used in one way.
#[derive(Debug)]
struct Health {
    /// What to say when it cannot.
    complaint: &'static str,
    /// When to try again; `None` while it can.
    retry_at: Option<Instant>,
    backoff: Backoff,
    rng: fastrand::Rng,
}

impl Health {
    fn new(complaint: &'static str) -> Self {
        Self { complaint, retry_at: None, backoff: store_backoff(), rng: fastrand::Rng::new() }
    }

    /// Whether it is time to try.
    fn check(&self) -> Result<(), Instant> {
        self.retry_at.filter(|&at| at > Instant::now()).map_or(Ok(()), Err)
    }

    /// Takes note of what a try has brought, and says so when it is another than before.
    fn heard<T>(&mut self, sink: &str, outcome: Result<T, StoreError>) -> Result<T, Instant> {
        match outcome {
            Ok(got) => {
                if self.retry_at.take().is_some() {
                    self.backoff = store_backoff();
                    tracing::info!(sink, "the sink can use the store again");
                }
                Ok(got)
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    tracing::warn!(sink, detail = %error, "{}", self.complaint);
                }
                let at = Instant::now() + self.backoff.next(&mut self.rng);
                self.retry_at = Some(at);
                Err(at)
            }
        }
    }
}

fn store_backoff() -> Backoff {
    Backoff::new(STORE_DELAYS.0, STORE_DELAYS.1)
}
