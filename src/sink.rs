//! Where events go, each sink from a cursor of its own over the event log: the structured log and the
//! webhooks.
//!
//! `run` is the loop that all of them share: it knows the order, the retries and the place in the log
//! (`bookmark`), and hands events to whatever can take one (`delivery`).

mod bookmark;
mod cloudevent;
mod delivery;
mod log;
mod progress;
mod run;
mod sample;
mod webhook;

pub use bookmark::EventLog;
pub use cloudevent::{CloudEvent, EventData};
pub use delivery::{Deliver, Refusal, RefusalReason};
pub use log::Log;
pub use progress::Progress;
pub use run::{Change, Sink};
pub use sample::sample;
pub use webhook::{Answer, Webhook, WebhookError, WebhookErrors};
