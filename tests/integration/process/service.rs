//! What a service manager hears of it, by systemd's protocol.

use std::fs;
use std::path::Path;

use regwatch::sim::{Fault, Operation, World};
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, Running, file, regwatch_as_hub};
use crate::harness::{Aws, hub, id, identities, member};

/// Calls last until they time out, which is long enough to look meanwhile.
fn config() -> String {
    format!(
        "polling: {{interval: 30s, pending_interval: 5s, failed_interval: 5s, timeout: 4s, start_window: 100ms}}
{}accounts:
  - {{id: '000000000001', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}\n",
        identities()
    )
}

/// A socket that a service manager would listen on.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
    /// All lines so far.
    heard: Vec<String>,
}

impl Manager {
    fn listen() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a free path");
        Self { socket, folder, heard: Vec::new() }
    }

    /// Starts regwatch as systemd would, with a watchdog or without.
    async fn start(&self, aws: &Aws, config: &Path, watchdog: Option<&str>) -> Running {
        let mut command: Command = regwatch_as_hub(&aws.url);
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog);
        }
        Running::start(command, config).await
    }

    /// The lines of the next message.
    async fn next(&mut self) -> Vec<String> {
        let mut message = vec![0; 4096];
        let length = timeout(PATIENCE, self.socket.recv(&mut message)).await;
        let length = length.unwrap_or_else(|_| panic!("nothing more than {:?}", self.heard)).expect("heard");
        let text = std::str::from_utf8(&message[..length]).expect("UTF-8");
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        self.heard.extend(lines.clone());
        lines
    }

    /// Waits for a message with a line that begins so.
    async fn until(&mut self, beginning: &str) -> Vec<String> {
        loop {
            let lines = self.next().await;
            if lines.iter().any(|line| line.starts_with(beginning)) {
                return lines;
            }
        }
    }

    /// Waits until this is the status.
    async fn until_status(&mut self, status: &str) {
        let is_status = |line: &&String| line.starts_with("STATUS=");
        while self.heard.iter().rev().find(is_status).is_none_or(|line| line[7..] != *status) {
            self.next().await;
        }
    }

    fn count(&self, line: &str) -> usize {
        self.heard.iter().filter(|heard| *heard == line).count()
    }
}

async fn ready(running: &Running) -> u16 {
    let answer = running.client.get(format!("{}/-/ready", running.url)).send().await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn it_hears_when_regwatch_is_ready_reloads_and_ends() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Hang);
    let (config, mut manager) = (file(&config()), Manager::listen());
    let running = manager.start(&aws, config.path(), None).await;
    let first = manager.next().await;
    let patience = first.iter().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    assert!(
        patience.is_some_and(|usec| usec.parse::<u64>().is_ok_and(|usec| usec > 10_000_000)),
        "{first:?}"
    );
    assert!(first.iter().any(|line| line.starts_with("STATUS=starting; 2 targets: ")), "{first:?}");
    manager.until("READY=1").await;
    assert_eq!(ready(&running).await, 200, "it is, the moment that this is told");
    manager.until_status("2 targets: 1 unreachable, 1 well").await;
    aws.control.clear_fault(id(1), Operation::GetRegisterAccountStatus);
    manager.until_status("2 targets: 2 well").await;
    assert_eq!(manager.count("READY=1"), 1);

    running.signal("HUP").await;
    let reloading = manager.until("RELOADING=1").await;
    let since = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(since.is_some_and(|usec| usec.parse::<u64>().is_ok()), "{reloading:?}");
    assert_eq!(manager.next().await, ["READY=1"], "nothing else is new");

    fs::write(config.path(), "accounts: 3\n").expect("writable");
    running.signal("HUP").await;
    manager.until("RELOADING=1").await;
    let refused = "STATUS=2 targets: 2 well; the last change of the configuration was refused";
    assert_eq!(manager.next().await, ["READY=1", refused]);

    running.signal("TERM").await;
    let last = manager.until("STOPPING=1").await;
    assert!(last[1].starts_with("STATUS=ending"), "{last:?}");
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    let heard = timeout(std::time::Duration::ZERO, manager.socket.recv(&mut [0; 4096])).await;
    assert!(heard.is_err(), "nothing is told after the end");
    assert_eq!(manager.count("WATCHDOG=1"), 0, "nobody waits for it");
}

#[tokio::test]
async fn a_watchdog_is_fed_from_the_start_even_while_aws_throttles() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(
        id(1),
        Operation::GetGovCloudAccountInformation,
        Fault::Throttle { retry_after: None },
    );
    let (config, mut manager) = (file(&config()), Manager::listen());
    let running = manager.start(&aws, config.path(), Some("600000")).await;
    manager.until("READY=1").await;
    running.until("it is throttled", |page| page.sum("regwatch_scope_throttled_total") >= 3.0).await;
    let before = manager.count("WATCHDOG=1");
    while manager.count("WATCHDOG=1") < before + 20 {
        manager.next().await;
    }
    assert_eq!(ready(&running).await, 200);
}

#[tokio::test]
async fn one_that_does_not_listen_is_told_of_in_the_log_and_keeps_nothing_from_going_on() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let (config, manager) = (file(&config()), Manager::listen());
    fs::remove_file(manager.folder.path().join("notify")).expect("it is there");
    let running = manager.start(&aws, config.path(), Some("600000")).await;
    running.until_well().await;
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(log.matches("the service manager does not hear").count(), 1, "{log}");
}
