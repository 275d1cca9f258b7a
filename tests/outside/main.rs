//! regwatch and its simulated AWS before judges that others wrote. Run by `tests/run`, which installs
//! them.

mod demo;
mod judge;
mod live_page;
mod metrics;
mod moto;
#[path = "../support/page.rs"]
mod page;
mod program;
mod prometheus;
mod sim;
#[path = "../support/snapshot.rs"]
mod snapshot;
#[path = "../support/watch.rs"]
mod watch;
