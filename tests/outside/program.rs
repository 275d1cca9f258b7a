//! A program that serves HTTP on a port of its own choice, as a child of the test: gone with it, however
//! it ends.

use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::time::Instant;

/// The longest that a program may take to listen; moto loads for seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program at work.
pub(crate) struct Program {
    /// Where it serves.
    pub(crate) url: String,
    child: Child,
    /// A file and not a pipe, which would stop a program that nobody listens to.
    log: NamedTempFile,
}

impl Program {
    /// Starts a program that was told to listen on port 0 of 127.0.0.1, and waits until a line of its log
    /// that contains the announcement tells the port.
    pub(crate) async fn start(command: &mut Command, announcement: &str) -> Self {
        let log = NamedTempFile::new().expect("a temporary file");
        // Appending, or the one stream would overwrite the other.
        let end = || File::options().append(true).open(log.path()).expect("it is there");
        command.stdin(Stdio::null()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut program = Self { url: String::new(), child, log };
        let began = Instant::now();
        loop {
            // Looked at before the log, or its last words could be missed.
            let ended = program.child.try_wait().expect("it is a child");
            if let Some(port) = program.port_after(announcement) {
                program.url = format!("http://127.0.0.1:{port}");
                return program;
            }
            let is_late = began.elapsed() > PATIENCE;
            assert!(
                ended.is_none() && !is_late,
                "{command:?} never said {announcement:?}:\n{}",
                program.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn port_after(&self, announcement: &str) -> Option<u16> {
        let log = self.log();
        let (_, line) = log.lines().find_map(|line| line.split_once(announcement))?;
        let (_, port) = line.split_once("127.0.0.1:")?;
        port.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        while !self.has_ended() {
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child.wait().expect("it is a child")
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).expect("it is there")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Either fails only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
