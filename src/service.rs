//! What the service manager is told of regwatch: that it is ready, reads its configuration anew, or ends;
//! how its targets are doing; and that it lives.
//!
//! The word that it lives is that of the loops themselves, not that of the process: while one of them is
//! stuck nothing is sent, and a service manager with a watchdog starts regwatch anew. A scope that waits for
//! a throttle to pass is not stuck: its poller has said when it will be back.

mod news;
mod status;
mod systemd;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::clock::Clock;
use crate::liveness::Liveness;
use crate::model::Snapshot;
use crate::store::{Contact, OutOfTouch};

use self::news::{News, Seen};
pub use self::systemd::Systemd;

/// How often it is looked where no watchdog wants it oftener: what is told is that old at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Of what a watchdog waits for one word, as many are sent: two may be late or lost.
const WORDS_A_WATCH: u32 = 3;

/// Phases that may wait to be told. A reload has two and the end one, and none begins before the one
/// before has been told.
const PHASES: usize = 4;

/// What a service manager can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// What `/-/ready` answers is 200, for the first time or after a reload.
    Ready,
    /// The configuration is read anew.
    Reloading,
    /// The ordered end has begun.
    Stopping,
    /// How it is doing, in a line for people.
    Status(String),
    /// All loops turn.
    Alive,
    /// It is not ready yet, but on its way: it should be given this long from now.
    Patience(Duration),
}

/// Whoever starts regwatch, watches it and ends it.
pub trait Manager {
    /// How long it waits for a word that regwatch lives; `None` if it waits for none.
    fn watchdog(&self) -> Option<Duration>;

    /// Tells it all of these at once.
    ///
    /// # Errors
    /// If it does not listen.
    fn tell(&self, news: &[Say]) -> std::io::Result<()>;
}

/// What regwatch goes through that nobody sees from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The configuration is about to be read anew.
    Reloading,
    /// It has been.
    Reloaded {
        /// Whether the one before stays in force.
        is_refused: bool,
    },
    /// The ordered end begins: nothing is told after it.
    Stopping,
}

/// Where the daemon says what it goes through; by default nowhere.
#[derive(Clone, Debug, Default)]
pub struct Announcer(Option<mpsc::Sender<Phase>>);

impl Announcer {
    /// Has the service manager hear of it.
    pub async fn tell(&self, phase: Phase) {
        if let Some(phases) = &self.0 {
            // Nobody listens any more once the end has been told.
            let _ = phases.send(phase).await;
        }
    }
}

/// All that is looked at.
#[derive(Clone, Debug)]
pub struct View {
    /// The latest of what is known.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Whether this replica is in touch with the store, where several share it.
    pub contact: Option<Contact>,
    /// Whether the loops still turn.
    pub liveness: Arc<Liveness>,
    /// Wall time.
    pub clock: Clock,
}

impl View {
    /// Waits for something to change that could make it ready. Whether anything still can.
    async fn changed(&mut self) -> bool {
        let touched = OptionFuture::from(self.contact.as_mut().map(Contact::next));
        tokio::select! {
            changed = self.snapshot.changed() => changed.is_ok(),
            Some(()) = touched => true,
        }
    }

    /// As `/-/ready` has it.
    fn is_ready(&self) -> bool {
        self.out_of_touch().is_none() && self.snapshot.borrow().is_ready()
    }

    fn out_of_touch(&self) -> Option<OutOfTouch> {
        self.contact.as_ref()?.check(Instant::now()).err()
    }
}

/// The loop that keeps the service manager informed.
#[derive(Debug)]
pub struct Informant<M> {
    manager: M,
    view: View,
    phases: mpsc::Receiver<Phase>,
    news: News,
    /// Whether the last words did not arrive.
    is_unheard: bool,
}

impl<M: Manager> Informant<M> {
    /// One that looks at `view`, and where it hears what cannot be seen.
    pub fn new(manager: M, view: View) -> (Self, Announcer) {
        let (sender, phases) = mpsc::channel(PHASES);
        let news = News::new(manager.watchdog().is_some());
        (Self { manager, view, phases, news, is_unheard: false }, Announcer(Some(sender)))
    }

    /// Informs until the end has been told.
    pub async fn run(mut self) {
        let watchdog = self.manager.watchdog().map(|watchdog| watchdog / WORDS_A_WATCH);
        let mut look = interval(watchdog.map_or(LOOK_EVERY, |beat| beat.min(LOOK_EVERY)));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let news = tokio::select! {
                phase = self.phases.recv() => {
                    let Some(phase) = phase else { return };
                    let news = self.news.of_phase(phase, &self.seen(), Instant::now());
                    self.tell(&news);
                    if phase == Phase::Stopping {
                        return;
                    }
                    continue;
                }
                _ = look.tick() => self.news.of_look(&self.seen(), Instant::now()),
                // Ready is told at once; afterwards nothing is in a hurry.
                is_open = self.view.changed(), if !self.news.is_ready() => match is_open {
                    true if self.view.is_ready() => self.news.of_look(&self.seen(), Instant::now()),
                    true => continue,
                    // The tracker has ended, and the daemon does.
                    false => return,
                },
            };
            self.tell(&news);
        }
    }

    fn seen(&self) -> Seen {
        let doing = match self.view.out_of_touch() {
            Some(out_of_touch) => out_of_touch.to_string(),
            None => status::line(&self.view.snapshot.borrow(), self.view.clock.now()),
        };
        let stuck = self.view.liveness.check(Instant::now()).err();
        Seen { is_ready: self.view.is_ready(), stuck, doing }
    }

    /// What does not arrive is logged once, until something does again.
    fn tell(&mut self, news: &[Say]) {
        if news.is_empty() {
            return;
        }
        match self.manager.tell(news) {
            Ok(()) => self.is_unheard = false,
            Err(error) if !self.is_unheard => {
                self.is_unheard = true;
                tracing::warn!(%error, "the service manager does not hear how regwatch is doing");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
