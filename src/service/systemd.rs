//! systemd, and whoever speaks its protocol.
//!
//! Source: `sd_notify(3)`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::block_in_place;

use super::{Manager, Say};

/// The service manager that `NOTIFY_SOCKET` of the environment names.
#[derive(Clone, Debug)]
pub struct Systemd {
    watchdog: Option<Duration>,
}

impl Systemd {
    /// The one that has started this process; `None` if none has, or none that wants to be told.
    pub fn of_environment() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        let watchdog = sd_notify::watchdog_enabled().filter(|watchdog| !watchdog.is_zero());
        Some(Self { watchdog })
    }
}

impl Manager for Systemd {
    fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// # Panics
    /// On a runtime of a single thread: the queue of a service manager that hangs may be full, and the loops
    /// should turn nevertheless.
    fn tell(&self, news: &[Say]) -> std::io::Result<()> {
        let mut states = Vec::with_capacity(news.len() + 1);
        for say in news {
            let state = match say {
                Say::Ready => NotifyState::Ready,
                Say::Reloading => {
                    states.push(NotifyState::Reloading);
                    NotifyState::monotonic_usec_now()?
                }
                Say::Stopping => NotifyState::Stopping,
                Say::Status(line) => NotifyState::Status(line),
                Say::Alive => NotifyState::Watchdog,
                Say::Patience(duration) => {
                    NotifyState::ExtendTimeoutUsec(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX))
                }
            };
            states.push(state);
        }
        block_in_place(|| sd_notify::notify(&states))
    }
}
