//! How the length of a lease is divided.

use std::time::Duration;

use tokio::time::Instant;

/// What a lease's length means: within it, whoever is gone is replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms(pub(super) Duration);

impl Terms {
    /// For how long the store gives it. The fifth that is left is for those that see it end: a round, a take,
    /// and a new generation of pollers.
    pub(super) fn granted(self) -> Duration {
        self.0 - self.0 / 5
    }

    /// From one round to the next. What somebody gives up is seen by the others a round later at the latest.
    pub(super) fn round(self) -> Duration {
        self.0 / 10
    }

    /// How soon is tried again what has failed.
    pub(super) fn retry(self) -> Duration {
        self.0 / 20
    }

    /// How long one try may take: a connection that hangs leaves time for three others before the lease ends.
    pub(super) fn patience(self) -> Duration {
        self.0 / 8
    }

    /// Until when a claim is certain that was asked for then. The margin of a tenth is for a clock of the store
    /// that runs fast.
    pub(super) fn certain_until(self, sent: Instant) -> Instant {
        sent + (self.granted() - self.0 / 10)
    }
}
