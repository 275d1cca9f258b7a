//! The whole daemon, in this process, against the simulated AWS over HTTP.

mod config;
mod credentials;
#[path = "../support/harness.rs"]
mod harness;
mod http;
mod metrics;
mod pacing;
#[path = "../support/page.rs"]
mod page;
mod process;
mod sim;
#[path = "../support/snapshot.rs"]
mod snapshot;
mod states;
mod tidy;
#[path = "../support/watch.rs"]
mod watch;
