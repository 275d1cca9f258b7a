//! What outlives the process, and what the process does while the store cannot be written.

use std::path::Path;

use regwatch::model::Region;
use regwatch::sim::{Fault, GovCloudState, Operation, Registration, RegistrationStatus, World};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::process::Command;

use super::{PATIENCE, Running, file, regwatch_as_hub};
use crate::harness::{Aws, hub, id, identities, member};
use crate::page::Page;

const REGION: &str = "us-east-1";

async fn aws() -> Aws {
    Aws::start(World::new().management(hub()).member(member(1))).await
}

/// One member, polled each second, and a store.
fn config(store: &Path) -> tempfile::NamedTempFile {
    file(&format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms, stale_after: 5s}}
store: {{path: '{}'}}
{}accounts:
  - {{id: '000000000001', name: one, fleetwise: {{identity: member, regions: [{REGION}]}}, govcloud: {{identity: hub}}}}\n",
        store.display(),
        identities()
    ))
}

/// Everything that a store keeps: a database, and who holds it.
struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("regwatch.db")
    }

    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.expect("it can be opened")
    }
}

impl Running {
    /// The event log, as the API tells it.
    async fn events(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/events?limit=1000", self.url);
        let answer = self.client.get(url).send().await.expect("an answer");
        let page: Value = serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
        page["items"].as_array().unwrap_or_else(|| panic!("no list: {page}")).clone()
    }

    /// The steps of a resource, from state to state.
    async fn steps(&self, resource: &str) -> Vec<(Value, Value)> {
        let events = self.events().await;
        let data = events.iter().map(|event| &event["data"]).filter(|data| data["resource"] == resource);
        data.map(|data| (data["from"].clone(), data["to"].clone())).collect()
    }

    async fn status(&self, path: &str) -> u16 {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        answer.status().as_u16()
    }

    async fn killed(mut self) {
        self.child.kill().await.expect("it can be killed");
    }
}

fn pending_events(page: &Page) -> f64 {
    page.sum("regwatch_store_pending_events")
}

fn since(page: &Page) -> Option<f64> {
    page.value(r#"aws_fleetwise_registration_since_timestamp_seconds{resource="account"}"#)
}

const SUCCESS: &str =
    r#"aws_fleetwise_registration_status{resource="account",status="REGISTRATION_SUCCESS"}"#;

#[tokio::test]
async fn a_restart_shows_at_once_what_was_known_and_tells_what_it_missed_once() {
    let (aws, kept) = (aws().await, Kept::new());
    let config = config(&kept.path());
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    let before = running.until_well().await;
    running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    running.killed().await;

    for operation in [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation] {
        aws.control.set_fault(id(1), operation, Fault::Hang);
    }
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    assert_eq!(running.status("/-/ready").await, 200, "it is ready at once");
    let page = Page::of(&running.client, &running.url).await;
    assert_eq!(page.value(SUCCESS), Some(1.0));
    assert_eq!(since(&page), since(&before));
    assert_eq!(page.sum("regwatch_target_up"), 0.0, "nobody has answered yet");
    running.until("what is known has become stale", |page| page.sum("regwatch_target_stale") == 2.0).await;
    assert_eq!(running.events().await.len(), 4, "four resources were seen, and none twice");
    running.killed().await;

    aws.control.set_govcloud(id(1), Some(GovCloudState::Suspended));
    for operation in [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation] {
        aws.control.clear_fault(id(1), operation);
    }
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    running.until_well().await;
    running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    let steps = running.steps("govcloud_account").await;
    assert_eq!(steps, [(Value::Null, "ACTIVE".into()), ("ACTIVE".into(), "SUSPENDED".into())]);
    assert_eq!(running.steps("account").await.len(), 1);
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_who_holds_the_store() {
    let (aws, kept) = (aws().await, Kept::new());
    let config = config(&kept.path());
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    let mut second = regwatch_as_hub(&aws.url);
    second.args(["run", "--web.listen-address", "127.0.0.1:0", "--config.file"]).arg(config.path());
    let output = second.output().await.expect("it starts");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    let holder = running.child.id().expect("it runs").to_string();
    assert!(text.contains(&holder) && text.contains("regwatch.db"), "{text}");
    running.until_well().await;
}

#[tokio::test]
async fn without_a_store_it_says_so_once() {
    let aws = aws().await;
    let config = file(&format!(
        "{}accounts: [{{id: '000000000001', govcloud: {{identity: hub}}}}]\npolling: {{start_window: 100ms}}\n",
        identities()
    ));
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    running.until_well().await;
    running.signal("TERM").await;
    let (_, log) = running.ended().await;
    assert_eq!(log.matches("no store is configured").count(), 1, "{log}");
}

/// Changes the registration as often as it takes until a page is as described.
async fn change_until(aws: &Aws, running: &Running, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
    for turn in 0..60 {
        let registration = match turn % 2 {
            0 => Registration::iam_failure(&"the role is gone; ".repeat(50)),
            _ => Registration::new(RegistrationStatus::Success),
        };
        let shown = if turn % 2 == 0 { 0.0 } else { 1.0 };
        aws.control.set_registration(id(1), &Region::new(REGION), Some(registration));
        let page = running.until("the change is shown", |page| page.value(SUCCESS) == Some(shown)).await;
        if is_so(&page) {
            return page;
        }
    }
    panic!("never came true: {described}");
}

/// Whatever was wrong is over: everything that was ever shown is in the log, once and in order.
async fn nothing_is_missing(running: &Running, changes: f64) {
    running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    let steps = running.steps("account").await;
    assert_eq!(steps.len() as f64, 1.0 + changes);
    assert!(steps.windows(2).all(|pair| pair[1].0 == pair[0].1), "{steps:?}");
}

fn changes(page: &Page) -> f64 {
    page.sum(r#"regwatch_transitions_total{resource="account"}"#)
}

/// A process that may not write beyond a size gets what a full disk gives: an error at the write.
#[tokio::test]
async fn a_full_disk_stops_nothing_and_loses_nothing() {
    let (aws, kept) = (aws().await, Kept::new());
    let config = config(&kept.path());
    // An ignored signal stays ignored: the write fails instead of ending the process.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; exec prlimit --fsize=200000:unlimited \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_regwatch")]);
    let like = regwatch_as_hub(&aws.url);
    command.env_clear().envs(like.as_std().get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.kill_on_drop(true).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut running = Running::start(command, config.path()).await;
    running.until_well().await;
    let stuck =
        |page: &Page| page.sum("regwatch_store_write_failures_total") > 0.0 && pending_events(page) > 0.0;
    change_until(&aws, &running, "the store cannot be written", stuck).await;
    running.until_said("the store cannot be written").await;
    let polls = Page::of(&running.client, &running.url).await.sum("regwatch_polls_total");
    running.until("polling goes on", |page| page.sum("regwatch_polls_total") > polls + 4.0).await;

    let pid = running.child.id().expect("it runs").to_string();
    let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().await;
    assert!(lifted.expect("prlimit is there").success());
    let page = running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    running.until_said("the store can be written again").await;
    nothing_is_missing(&running, changes(&page)).await;
}

#[tokio::test]
async fn a_store_that_another_program_holds_stops_nothing_and_loses_nothing() {
    let (aws, kept) = (aws().await, Kept::new());
    let config = config(&kept.path());
    let running = Running::start(regwatch_as_hub(&aws.url), config.path()).await;
    running.until_well().await;
    running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    let mut other = kept.connect().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("it waits for its turn");
    let waiting = |page: &Page| pending_events(page) > 0.0 && changes(page) >= 4.0;
    change_until(&aws, &running, "events wait", waiting).await;
    running.until("a write has failed", |page| page.sum("regwatch_store_write_failures_total") > 0.0).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("it holds it");
    other.close().await.expect("it can be closed");
    let page = running.until("all is in the store", |page| pending_events(page) == 0.0).await;
    nothing_is_missing(&running, changes(&page)).await;
    tokio::time::timeout(PATIENCE, running.killed()).await.expect("soon");
}
