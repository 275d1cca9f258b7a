//! The door: what the web configuration asks of visitors, kept while the server runs.
//!
//! Certificates, users and headers follow the files. Once a second, off the way of any request, the door
//! looks whether a file has changed; a change that has stood still for a look is read. What holds
//! together takes effect with the next connection and the next request; what does not leaves the
//! old state, a line in the log and a gauge. A reading never takes a lock off (TLS, passwords, clients'
//! certificates): a file that is half written would open the door to everybody. That takes a restart.

mod client;
mod guard;
mod limit;
mod password;
mod stamp;
mod state;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

pub(super) use self::guard::{Peer, dress, guard};

use self::limit::Limiter;
use self::stamp::Stamp;
use self::state::State;
use crate::clock::Clock;
use crate::config::{ConfigError, Warning, Web};
use crate::metrics::DoorGauges;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How many passwords are checked at a time. Each takes a core for a while, and the pollers need one.
const CHECKS: usize = 1;

/// The door of a server.
#[derive(Debug)]
pub struct Door {
    file: Option<File>,
    /// Whether the probes of an orchestrator come in without a password.
    open_health: bool,
    state: watch::Sender<Arc<State>>,
    limiter: Limiter,
    checks: Arc<Semaphore>,
}

/// The web configuration's file.
#[derive(Debug)]
struct File {
    path: PathBuf,
    gauges: DoorGauges,
    clock: Clock,
    /// A lock, since a look and a reload may come together. It is held by a thread that reads files.
    seen: Mutex<Seen>,
}

/// What was seen of the files.
#[derive(Debug)]
struct Seen {
    /// All of them, the web configuration first.
    files: Vec<PathBuf>,
    /// As they were before they were last read.
    read: Vec<Option<Stamp>>,
    /// As they were at the last look.
    looked: Vec<Option<Stamp>>,
    /// Why what was last read could not be used.
    error: Option<DoorError>,
}

/// The web configuration cannot be used. The text has a line for each mistake, free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct DoorError(Vec<String>);

impl From<ConfigError> for DoorError {
    fn from(error: ConfigError) -> Self {
        Self(vec![match &error {
            ConfigError::Unreadable { source, .. } => format!("{error}: {source}"),
            ConfigError::Invalid(errors) => errors.to_string(),
        }])
    }
}

/// What came of reading the files.
struct Reading {
    files: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
    state: Result<(State, Vec<Warning>), DoorError>,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            file: None,
            open_health: false,
            state: watch::Sender::new(Arc::default()),
            limiter: Limiter::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
        }
    }
}

impl Door {
    /// A door as a web configuration describes it, with what is doubtful in it. With `open_health` the
    /// paths `/-/healthy` and `/-/ready` ask for no password.
    ///
    /// # Errors
    /// If a file cannot be read, or with every mistake.
    pub fn open(path: &Path, open_health: bool, clock: Clock) -> Result<(Self, Vec<Warning>), DoorError> {
        let Reading { files, stamps, state } = Reading::of(path);
        let (state, warnings) = state?;
        let gauges = DoorGauges::new(state.not_after());
        gauges.read(Ok(clock.now()));
        let seen = Seen { files, looked: stamps.clone(), read: stamps, error: None };
        let file = File { path: path.to_owned(), gauges, clock, seen: Mutex::new(seen) };
        let door = Self {
            file: Some(file),
            open_health,
            state: watch::Sender::new(Arc::new(state)),
            ..Self::default()
        };
        Ok((door, warnings))
    }

    /// What the door shows of itself to a scrape; `None` for one without a file.
    pub fn gauges(&self) -> Option<&DoorGauges> {
        self.file.as_ref().map(|file| &file.gauges)
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.state.borrow().tls().is_some()
    }

    /// Reads the files anew, changed or not. Connections that are open go on as they are.
    ///
    /// # Errors
    /// Every mistake; then nothing has changed but a gauge.
    pub async fn reread(self: &Arc<Self>) -> Result<(), DoorError> {
        let door = Arc::clone(self);
        let reading = spawn_blocking(move || match &door.file {
            Some(file) => door.read(file, &mut file.seen()),
            None => Ok(()),
        });
        reading.await.expect("reading files does not panic")
    }

    /// Follows the files; never ends. May be dropped at any time.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.file.is_some() {
            looks.tick().await;
            let door = Arc::clone(&self);
            spawn_blocking(move || door.look()).await.expect("reading files does not panic");
        }
        std::future::pending().await
    }

    /// How the next connection is encrypted.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.state.borrow().tls()
    }

    /// Reads the files if they have changed and stand still again, or could not be used before: what was
    /// wrong may have been the machine's.
    fn look(&self) {
        let Some(file) = &self.file else { return };
        let mut seen = file.seen();
        let now = stamp::all(&seen.files);
        let stands_still = now == seen.looked;
        let is_news = now != seen.read || seen.error.is_some();
        seen.looked = now;
        if !(stands_still && is_news) {
            return;
        }
        let before = seen.error.clone();
        match self.read(file, &mut seen) {
            Ok(()) => tracing::info!("the web configuration has changed, and is in force"),
            Err(error) if before.as_ref() != Some(&error) => {
                tracing::error!(%error, "the web configuration cannot be used; the one before stays in force");
            }
            Err(_) => {}
        }
    }

    fn read(&self, file: &File, seen: &mut Seen) -> Result<(), DoorError> {
        let Reading { files, stamps, state } = Reading::of(&file.path);
        (seen.files, seen.looked) = (files, stamps.clone());
        seen.read = stamps;
        let before = self.state.borrow().clone();
        let taken = state.and_then(|(state, warnings)| Ok((state.after(&before)?, warnings)));
        match taken {
            Ok((state, warnings)) => {
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                file.gauges.certificate(state.not_after());
                file.gauges.read(Ok(file.clock.now()));
                self.state.send_replace(Arc::new(state));
                seen.error = None;
                Ok(())
            }
            Err(error) => {
                file.gauges.read(Err(()));
                seen.error = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl File {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// Reads a web configuration and the files that it names. They are stamped before they are read: what
    /// changes in between is seen at the next look.
    fn of(path: &Path) -> Self {
        let mut files = vec![path.to_owned()];
        let mut stamps = stamp::all(&files);
        let state = Web::load(path).map_err(DoorError::from).and_then(|(web, warnings)| {
            files.extend(state::files(&web));
            stamps.extend(stamp::all(&files[1..]));
            let state = State::new(&web).map_err(|problems| {
                let told = |problem| format!("{}: {problem}", path.display());
                DoorError(problems.into_iter().map(told).collect())
            })?;
            Ok((state, warnings))
        });
        Self { files, stamps, state }
    }
}
