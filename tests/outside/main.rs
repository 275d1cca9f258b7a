//! regwatch and its simulated AWS before judges that others wrote. Run by `tests/run`, which installs
//! them.

mod alertmanager;
mod demo;
mod judge;
mod live_page;
mod metrics;
mod moto;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/posting.rs"]
mod posting;
mod program;
mod prometheus;
mod sim;
#[path = "../support/sinks.rs"]
mod sinks;
#[path = "../support/snapshot.rs"]
mod snapshot;
#[path = "../support/watch.rs"]
mod watch;
mod webhook;
