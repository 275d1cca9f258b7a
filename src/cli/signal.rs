//! The signals that end a daemon.

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
