//! The signals that end a daemon, and the one that has its configuration read anew.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, as often as they come.
pub(super) struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Takes the two signals over from now on.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGHUP, as often as it comes; several that nobody has waited for are one.
pub(super) struct Hangup(Signal);

impl Hangup {
    /// Takes the signal over from now on: it ends the process no more, whether or not anybody waits for it.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        // There is a next one for as long as the runtime lives.
        self.0.recv().await;
    }
}
