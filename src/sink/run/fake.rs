//! A log and a receiver that do as they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};

use crate::config::On;
use crate::model::{Claim, Entry, Epoch, Status, TransitionKind};
use crate::sink::{Deliver, EventLog, Refusal, RefusalReason, sample};
use crate::store::StoreError;

/// When every event is seen.
pub(crate) const SEEN: &str = "2026-11-21T12:00:00Z";

/// A log in memory.
#[derive(Clone)]
pub(crate) struct FakeLog {
    kept: Arc<Mutex<Kept>>,
    latest: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    cursor: Option<u64>,
    parked: Vec<(u64, String)>,
    saves: Vec<(Instant, u64)>,
    reads: usize,
    handed_out: u64,
    /// The claim of whoever has one that is older is stale.
    epoch: Epoch,
    advances: usize,
    is_away: bool,
    is_unreadable: bool,
    is_unwritable: bool,
}

impl FakeLog {
    pub(crate) fn new() -> Self {
        Self { kept: Arc::default(), latest: Arc::new(watch::Sender::new(0)) }
    }

    /// Appends so many entries of a kind.
    pub(crate) fn append(&self, kind: TransitionKind, count: usize) {
        let mut kept = self.kept.lock().unwrap();
        for _ in 0..count {
            let sequence = kept.entries.len() as u64 + 1;
            kept.entries.push(sample::entry(
                sequence,
                kind,
                Status::RegistrationFailure,
                "fleet",
                SEEN.parse().unwrap(),
            ));
        }
        self.latest.send_replace(kept.entries.len() as u64);
    }

    /// Whether it tells nobody where he is.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.kept.lock().unwrap().is_away = is_away;
    }

    pub(crate) fn set_readable(&self, is_readable: bool) {
        self.kept.lock().unwrap().is_unreadable = !is_readable;
    }

    pub(crate) fn set_writable(&self, is_writable: bool) {
        self.kept.lock().unwrap().is_unwritable = !is_writable;
    }

    pub(crate) fn cursor_now(&self) -> Option<u64> {
        self.kept.lock().unwrap().cursor
    }

    pub(crate) fn parked(&self) -> Vec<(u64, String)> {
        self.kept.lock().unwrap().parked.clone()
    }

    /// The entries that are wanted.
    pub(crate) fn wanted(&self, wanted: &On) -> Vec<u64> {
        let kept = self.kept.lock().unwrap();
        kept.entries.iter().filter(|entry| wanted.wants(&entry.event)).map(|entry| entry.sequence).collect()
    }

    /// When which place was saved.
    pub(crate) fn saves(&self) -> Vec<(Instant, u64)> {
        self.kept.lock().unwrap().saves.clone()
    }

    /// The last entry that it was asked for and had.
    pub(crate) fn handed_out(&self) -> u64 {
        self.kept.lock().unwrap().handed_out
    }

    /// Another replica has the sink from now on, and has come so far.
    pub(crate) fn overtake(&self, epoch: Epoch, cursor: u64) {
        let mut kept = self.kept.lock().unwrap();
        (kept.epoch, kept.cursor) = (epoch, Some(cursor));
    }

    /// How often it was tried to save a place.
    pub(crate) fn advances(&self) -> usize {
        self.kept.lock().unwrap().advances
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> usize {
        self.kept.lock().unwrap().reads
    }
}

impl EventLog for FakeLog {
    fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    async fn cursor(&self, _sink: &str) -> Result<u64, StoreError> {
        let mut kept = self.kept.lock().unwrap();
        if kept.is_away {
            return Err(unusable());
        }
        let latest = kept.entries.len() as u64;
        Ok(*kept.cursor.get_or_insert(latest))
    }

    async fn read(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        sleep(Duration::from_millis(1)).await;
        let mut kept = self.kept.lock().unwrap();
        kept.reads += 1;
        if kept.is_unreadable {
            return Err(unusable());
        }
        let after = kept.entries.iter().filter(|entry| entry.sequence > after);
        let entries: Vec<_> = after.take(limit as usize).cloned().collect();
        kept.handed_out = entries.last().map_or(kept.handed_out, |last| last.sequence);
        Ok(entries)
    }

    async fn advance(
        &self,
        _sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        sleep(Duration::from_millis(1)).await;
        let mut kept = self.kept.lock().unwrap();
        kept.advances += 1;
        if let Some(claim) = claim.filter(|claim| claim.epoch < kept.epoch) {
            return Err(StoreError::Fenced(claim.clone()));
        }
        if kept.is_unwritable {
            return Err(unusable());
        }
        kept.cursor = Some(cursor);
        kept.parked.extend_from_slice(parked);
        kept.saves.push((Instant::now(), cursor));
        Ok(())
    }
}

fn unusable() -> StoreError {
    StoreError::unusable("as the test wants it")
}

/// A receiver that takes what it is given, but for what a script says.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    script: VecDeque<Result<(), Refusal>>,
    tries: Vec<(Instant, u64)>,
    taken: Vec<u64>,
    begun: Vec<u64>,
    slowness: Duration,
    hangs: bool,
}

impl Receiver {
    /// One that answers so, try after try, and takes everything then.
    pub(crate) fn scripted(answers: impl IntoIterator<Item = Result<(), Refusal>>) -> Self {
        let receiver = Self::default();
        receiver.seen.lock().unwrap().script.extend(answers);
        receiver
    }

    /// One that refuses for these reasons, try after try, and takes everything then.
    pub(crate) fn refusing(refusals: impl IntoIterator<Item = Refusal>) -> Self {
        Self::scripted(refusals.into_iter().map(Err))
    }

    /// One that takes so long for each.
    pub(crate) fn slow(slowness: Duration) -> Self {
        let receiver = Self::default();
        receiver.seen.lock().unwrap().slowness = slowness;
        receiver
    }

    /// One that never answers.
    pub(crate) fn hanging() -> Self {
        let receiver = Self::default();
        receiver.seen.lock().unwrap().hangs = true;
        receiver
    }

    /// What it took, in the order in which it did.
    pub(crate) fn taken(&self) -> Vec<u64> {
        self.seen.lock().unwrap().taken.clone()
    }

    /// What it was offered, whatever became of it.
    pub(crate) fn begun(&self) -> Vec<u64> {
        self.seen.lock().unwrap().begun.clone()
    }

    /// When it answered to what.
    pub(crate) fn tries(&self) -> Vec<(Instant, u64)> {
        self.seen.lock().unwrap().tries.clone()
    }
}

impl Deliver for Receiver {
    async fn deliver(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let (slowness, hangs) = {
            let mut seen = self.seen.lock().unwrap();
            seen.begun.push(entry.sequence);
            (seen.slowness, seen.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        sleep(slowness + Duration::from_millis(5)).await;
        let mut seen = self.seen.lock().unwrap();
        seen.tries.push((Instant::now(), entry.sequence));
        let answer = seen.script.pop_front().unwrap_or(Ok(()));
        if answer.is_ok() {
            seen.taken.push(entry.sequence);
        }
        answer
    }
}

/// A refusal without more to it.
pub(crate) fn refusal(reason: RefusalReason) -> Refusal {
    Refusal { reason, detail: "as the test wants it".to_owned(), retry_after: None }
}
