//! regwatch and its simulated AWS before judges that others wrote. Run by `tests/run`, which installs
//! them.

mod metrics;
mod sim;
#[path = "../support/snapshot.rs"]
mod snapshot;
