//! The whole daemon, in this process, against the simulated AWS over HTTP.

mod config;
mod http;
mod metrics;
mod sim;
#[path = "../support/snapshot.rs"]
mod snapshot;
mod tidy;
