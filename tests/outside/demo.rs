//! `regwatch demo` for others to look at.

use std::path::Path;
use std::process::Command;

use crate::program::Program;

/// The account whose registration the script lets fail: its id, and what the demo calls it.
pub(crate) const FAILED: (&str, &str) = ("100000000144", "fleet-stage-us");

/// The account whose GovCloud account is suspended in the end.
pub(crate) const SUSPENDED: (&str, &str) = ("100000000210", "defense-programs");

/// The account whose GovCloud account has been closed for long.
pub(crate) const CLOSED: (&str, &str) = ("100000000221", "defense-archive");

/// The account that FleetWise tells nothing.
pub(crate) const DENIED: (&str, &str) = ("100000000177", "telematics-test");

/// Starts it, with an environment that says nothing.
pub(crate) async fn start() -> Program {
    start_behind(None).await
}

/// Starts it behind a door, if there is one.
pub(crate) async fn start_behind(web_config: Option<&Path>) -> Program {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_regwatch"));
    demo.env_clear().args(["demo", "--web.listen-address", "127.0.0.1:0"]);
    if let Some(path) = web_config {
        demo.arg("--web.config.file").arg(path);
    }
    Program::start(&mut demo, "listening for HTTP").await
}
