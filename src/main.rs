//! The `regwatch` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    regwatch::cli::main()
}
