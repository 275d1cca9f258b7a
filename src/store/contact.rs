//! Whether a replica is in touch with the store that it shares, for whoever has to say so.

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

/// The last time that the store has answered a replica's word that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// When.
    pub at: Timestamp,
    /// Until when nobody can have taken over what the replica holds.
    pub lasts_until: Instant,
}

/// Whether a replica is in touch with the store that it shares: the store has answered within the time of a
/// lease. Out of touch it holds nothing and asks nothing of AWS. One that has nothing to hold is in touch as
/// well. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contact(watch::Receiver<Touch>);

/// A replica is out of touch, since the store last answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store has not answered since {0:.0}: nothing is asked of AWS until it does, and then all goes on by itself"
)]
pub struct OutOfTouch(pub Timestamp);

impl Contact {
    /// What whoever keeps in touch says.
    pub fn new(touch: watch::Receiver<Touch>) -> Self {
        Self(touch)
    }

    /// Whether the replica is in touch.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, now: Instant) -> Result<(), OutOfTouch> {
        let Touch { at, lasts_until } = *self.0.borrow();
        if now < lasts_until { Ok(()) } else { Err(OutOfTouch(at)) }
    }

    /// Waits for the store's next answer; for ever once nobody waits for one any more. May be dropped at any
    /// time.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
