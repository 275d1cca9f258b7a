//! The whole daemon, in this process, against the simulated AWS over HTTP.

mod config;
mod credentials;
#[path = "../support/harness.rs"]
mod harness;
mod http;
mod metrics;
mod pacing;
mod process;
mod sim;
#[path = "../support/snapshot.rs"]
mod snapshot;
mod states;
mod tidy;
