//! Handing one event over, and what it means when that fails.

use std::time::Duration;

use crate::model::Entry;

/// How often an event is offered to a receiver that refuses it. With the backoff between them five
/// tries last some fifteen seconds: enough for a receiver whose new release has not settled, and short
/// for the events that wait behind.
const REFUSED_TRIES: u32 = 5;

/// Something that takes events, one after another.
pub trait Deliver: Send {
    /// Hands an event over. Whatever takes it may have heard of it before.
    ///
    /// # Errors
    /// If it was not taken, or nobody can tell whether it was.
    fn deliver(&mut self, entry: &Entry) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// An event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// Why not.
    pub reason: RefusalReason,
    /// The same for people, on one line and free of secrets.
    pub detail: String,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why an event was not taken: log text and the `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The receiver failed: HTTP 5xx, or a status that does not exist.
    ServerError,
    /// The receiver has had enough for now: HTTP 429.
    Throttled,
    /// The receiver does not want this event: any other HTTP 4xx.
    Refused,
    /// The receiver is elsewhere: HTTP 3xx. It is not followed, and never about one event.
    Redirected,
    /// No answer in time, or HTTP 408.
    Timeout,
    /// No connection, or one that broke.
    Unreachable,
    /// The template makes no body of this event.
    Template,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::ServerError,
        Self::Throttled,
        Self::Refused,
        Self::Redirected,
        Self::Timeout,
        Self::Unreachable,
        Self::Template,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerError => "server_error",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Redirected => "redirected",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Template => "template",
        }
    }

    /// How often an event is tried that fails for this reason, before the sink gives it up and goes on
    /// with the next; `None` for what is about the receiver and not about the event, so that going on
    /// would lose one event after another.
    pub(super) const fn tries(self) -> Option<u32> {
        match self {
            Self::Refused => Some(REFUSED_TRIES),
            // The next try would render the same.
            Self::Template => Some(1),
            Self::ServerError | Self::Throttled | Self::Redirected | Self::Timeout | Self::Unreachable => {
                None
            }
        }
    }
}
