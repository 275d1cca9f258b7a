//! A log and a receiver that do as they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};

use crate::config::On;
use crate::model::{Entry, Status, TransitionKind};
use crate::sink::{Deliver, EventLog, Refusal, RefusalReason, sample};
use crate::store::StoreError;

/// When every event is seen.
pub(super) const SEEN: &str = "2026-11-21T12:00:00Z";

/// A log in memory.
#[derive(Clone)]
pub(super) struct FakeLog {
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
    is_unreadable: bool,
    is_unwritable: bool,
}

impl FakeLog {
    pub(super) fn new() -> Self {
        Self { kept: Arc::default(), latest: Arc::new(watch::Sender::new(0)) }
    }

    /// Appends so many entries of a kind.
    pub(super) fn append(&self, kind: TransitionKind, count: usize) {
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

    pub(super) fn set_readable(&self, is_readable: bool) {
        self.kept.lock().unwrap().is_unreadable = !is_readable;
    }

    pub(super) fn set_writable(&self, is_writable: bool) {
        self.kept.lock().unwrap().is_unwritable = !is_writable;
    }

    pub(super) fn cursor_now(&self) -> Option<u64> {
        self.kept.lock().unwrap().cursor
    }

    pub(super) fn parked(&self) -> Vec<(u64, String)> {
        self.kept.lock().unwrap().parked.clone()
    }

    /// The entries that are wanted.
    pub(super) fn wanted(&self, wanted: &On) -> Vec<u64> {
        let kept = self.kept.lock().unwrap();
        kept.entries.iter().filter(|entry| wanted.wants(&entry.event)).map(|entry| entry.sequence).collect()
    }

    /// When which place was saved.
    pub(super) fn saves(&self) -> Vec<(Instant, u64)> {
        self.kept.lock().unwrap().saves.clone()
    }

    /// The last entry that it was asked for and had.
    pub(super) fn handed_out(&self) -> u64 {
        self.kept.lock().unwrap().handed_out
    }

    /// How often it was read.
    pub(super) fn reads(&self) -> usize {
        self.kept.lock().unwrap().reads
    }
}

impl EventLog for FakeLog {
    fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    async fn cursor(&self, _sink: &str) -> Result<u64, StoreError> {
        let mut kept = self.kept.lock().unwrap();
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

    async fn advance(&self, _sink: &str, cursor: u64, parked: &[(u64, String)]) -> Result<(), StoreError> {
        sleep(Duration::from_millis(1)).await;
        let mut kept = self.kept.lock().unwrap();
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
pub(super) struct Receiver {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    script: VecDeque<Result<(), Refusal>>,
    tries: Vec<(Instant, u64)>,
    taken: Vec<u64>,
    hangs: bool,
}

impl Receiver {
    /// One that answers so, try after try, and takes everything then.
    pub(super) fn scripted(answers: impl IntoIterator<Item = Result<(), Refusal>>) -> Self {
        let receiver = Self::default();
        receiver.seen.lock().unwrap().script.extend(answers);
        receiver
    }

    /// One that refuses for these reasons, try after try, and takes everything then.
    pub(super) fn refusing(refusals: impl IntoIterator<Item = Refusal>) -> Self {
        Self::scripted(refusals.into_iter().map(Err))
    }

    /// One that never answers.
    pub(super) fn hanging() -> Self {
        let receiver = Self::default();
        receiver.seen.lock().unwrap().hangs = true;
        receiver
    }

    /// What it took, in the order in which it did.
    pub(super) fn taken(&self) -> Vec<u64> {
        self.seen.lock().unwrap().taken.clone()
    }

    /// When it was offered what.
    pub(super) fn tries(&self) -> Vec<(Instant, u64)> {
        self.seen.lock().unwrap().tries.clone()
    }
}

impl Deliver for Receiver {
    async fn deliver(&mut self, entry: &Entry) -> Result<(), Refusal> {
        if self.seen.lock().unwrap().hangs {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(5)).await;
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
pub(super) fn refusal(reason: RefusalReason) -> Refusal {
    Refusal { reason, detail: "as the test wants it".to_owned(), retry_after: None }
}
