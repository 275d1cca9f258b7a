//! `regwatch demo` for others to look at.

use std::process::Command;

use crate::program::Program;

/// Starts it, with an environment that says nothing.
pub(crate) async fn start() -> Program {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_regwatch"));
    demo.env_clear().args(["demo", "--web.listen-address", "127.0.0.1:0"]);
    Program::start(&mut demo, "listening for HTTP").await
}
