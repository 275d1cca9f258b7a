//! The program itself: what it takes from its environment, what it prints, and how it ends.

mod command_line;
mod crash;
mod demo;
mod durable;
mod ending;
mod environment;
mod events;
mod poll;
mod printed;
mod reload;
mod service;
mod store;
mod telemetry;
mod test_webhook;

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::harness::KEY;
use crate::page::Page;

const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with an environment that holds nothing but what a test puts there.
fn regwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regwatch"));
    command.env_clear().kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Nothing outside this machine is asked for credentials.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
    command
}

/// The same, with the hub's key.
fn regwatch_as_hub(endpoint: &str) -> Command {
    let mut command = regwatch();
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", KEY.0)
        .env("AWS_SECRET_ACCESS_KEY", KEY.1);
    command
}

/// A file that is gone with the test.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

/// `regwatch run` at work.
struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// What it has logged so far.
    said: Vec<String>,
    url: String,
    client: reqwest::Client,
}

impl Running {
    /// Starts `regwatch run`, and waits until it says where it serves.
    async fn start(mut command: Command, config: &std::path::Path) -> Self {
        command.args(["run", "--web.listen-address", "127.0.0.1:0", "--config.file"]).arg(config);
        Self::listening(command).await
    }

    /// Starts a command that serves, and waits until it says where.
    async fn listening(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut running =
            Self { child, log, said: Vec::new(), url: String::new(), client: reqwest::Client::new() };
        let line = running.until_said("listening for HTTP").await;
        let port: String = line
            .split("127.0.0.1:")
            .nth(1)
            .expect("where")
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        running.url = format!("http://127.0.0.1:{port}");
        running
    }

    /// Waits for a line of the log that contains a text.
    async fn until_said(&mut self, text: &str) -> String {
        loop {
            let line = timeout(PATIENCE, self.log.next_line()).await;
            match line {
                Ok(Ok(Some(line))) => {
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                _ => panic!("it never said {text:?}, but:\n{}", self.said.join("\n")),
            }
        }
    }

    /// Scrapes until a page is as described.
    async fn until(&self, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        Page::until(&self.client, &self.url, described, is_so).await
    }

    /// Waits until every target has answered.
    async fn until_well(&self) -> Page {
        let well = |page: &Page| page.sum("regwatch_target_up") == page.count("regwatch_target_up") as f64;
        self.until("every target answers", well).await
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill is everywhere");
        assert!(sent.success());
    }

    /// Waits for its end: its exit status, and the rest of what it logged.
    async fn ended(mut self) -> (Option<i32>, String) {
        while let Ok(Ok(Some(line))) = timeout(PATIENCE, self.log.next_line()).await {
            self.said.push(line);
        }
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it was started");
        (status.code(), self.said.join("\n"))
    }
}
