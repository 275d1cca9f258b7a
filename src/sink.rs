//! Where events go, each sink from a cursor of its own over the event log: the structured log and the
//! webhooks.
//!
//! `run` is the loop that all of them share: it knows the order, the retries and the place in the log
//! (`bookmark`), and hands events to whatever can take one (`delivery`). Where several replicas share the
//! store, one of them at a time delivers to a sink, for as long as its `mandate` says.

mod bookmark;
mod cloudevent;
mod delivery;
mod log;
mod mandate;
mod progress;
mod run;
mod sample;
mod webhook;

pub use bookmark::EventLog;
pub use cloudevent::{CloudEvent, EventData};
pub use delivery::{Deliver, Refusal, RefusalReason};
pub use log::Log;
pub use mandate::{Mandate, leases};
pub use progress::Progress;
#[cfg(test)]
pub(crate) use run::fake;
pub use run::{Change, End, Sink};
pub use sample::sample;
pub use webhook::{Answer, Webhook, WebhookError, WebhookErrors};
