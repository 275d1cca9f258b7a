//! When a call to AWS may be made, and when one should be; and by which of several replicas.
//!
//! Layer 0: decisions as values. Nothing here awaits or reads a clock: the poller hands in the time,
//! and the same times and seeds give the same decisions.

mod backoff;
mod cadence;
mod capacity;
mod pace;
mod queue;
mod share;

pub use backoff::Backoff;
pub use cadence::{Cadence, interval};
pub use capacity::Capacity;
pub use pace::{Answer, HINT_MAX, Pace, Permit};
pub use queue::DueQueue;
pub use share::{Hands, Share, share};
