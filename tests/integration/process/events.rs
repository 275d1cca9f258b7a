//! `regwatch events`: what it tells, from a server and from the file of a store.

use std::path::Path;

use regwatch::config;
use regwatch::http::Limits;
use regwatch::model::{Event, Status, TargetId};
use regwatch::store::Store;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, file, regwatch};
use crate::event::{append, became};
use crate::server::{Running, SOON};
use crate::snapshot::rich;

/// An address where nothing listens: TCP's port 1, which nobody has used for long.
const NOWHERE: &str = "http://127.0.0.1:1";

/// `regwatch events`, asking there.
fn events(url: &str) -> Command {
    let mut command = regwatch();
    command.args(["events", "--url", url]);
    command
}

/// An event of a target of [`rich`].
fn event(target: u32, to: Status) -> Event {
    became(rich().fleet.target(TargetId(target)), to, "11:30:00.5")
}

fn mixed() -> Vec<Event> {
    vec![
        event(0, Status::RegistrationFailure),
        event(3, Status::Active),
        event(1, Status::RegistrationSuccess),
        event(3, Status::Suspended),
    ]
}

/// What a command writes, and its exit status.
async fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
    (output.status.code(), out, err)
}

fn sequences(lines: &str) -> Vec<u64> {
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.map(|event| event["data"]["sequence"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn a_table_of_what_the_daemon_tells() {
    let running = Running::start(rich()).await;
    append(&running.view.store, mixed()).await;
    let (status, table, said) = output(&mut events(&running.url("/"))).await;
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let expected = r#"TIME                    SEQ  ACCOUNT                             REGION        RESOURCE          CHANGE               AWS SAYS
2026-11-21T11:30:00Z      1  000011112222 fleet-prod             us-east-1     account           PENDING → FAILURE    The role\ncannot be assumed.
2026-11-21T11:30:00Z      2  333344445555 a "hub",\ and\nmore ü  -             govcloud_account  PENDING → ACTIVE
2026-11-21T11:30:00Z      3  000011112222 fleet-prod             eu-central-1  account           PENDING → SUCCESS
2026-11-21T11:30:00Z      4  333344445555 a "hub",\ and\nmore ü  -             govcloud_account  PENDING → SUSPENDED
"#;
    assert_eq!(table, expected);
}

#[tokio::test]
async fn filters_and_pages_reach_the_daemon() {
    let running = Running::start(rich()).await;
    append(&running.view.store, mixed()).await;
    let many = (0..1_200).map(|_| event(1, Status::RegistrationPending)).collect();
    append(&running.view.store, many).await;
    for (arguments, expected) in [
        (&["--account", "333344445555"][..], vec![2, 4]),
        (&["--to", "active", "--to", "REGISTRATION_SUCCESS"], vec![2, 3]),
        (&["--probe", "govcloud", "--limit", "1"], vec![2]),
        (&["--since", "2026-11-21T11:31:00Z"], vec![]),
        (&["--parked-by", "pager"], vec![]),
        (&["--limit", "0"], vec![]),
        (&["--limit", "1100"], (1..=1_100).collect()),
        (&[], (1..=1_204).collect()),
    ] {
        let mut command = events(&running.url(""));
        let (status, lines, said) = output(command.args(["--format", "json"]).args(arguments)).await;
        assert_eq!((status, said.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(sequences(&lines), expected, "{arguments:?}");
    }
}

/// The file of a store, with events, that no daemon has open.
async fn left_behind(folder: &Path) -> String {
    let path = folder.join("regwatch.db");
    let settings = config::Store { path: Some(path.clone()), ..config::Store::default() };
    let store = Store::open(&settings).await.expect("the folder is there");
    append(&store, mixed()).await;
    store.close().await;
    format!(
        "store: {{path: '{}'}}
identities: {{hub: {{}}}}
accounts:
  - {{id: '000011112222', govcloud: {{identity: hub}}}}
",
        path.display()
    )
}

#[tokio::test]
async fn where_nothing_listens_the_store_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = file(&left_behind(folder.path()).await);
    let mut command = events(NOWHERE);
    command.args(["--format", "json", "--to", "ACTIVE", "--to", "SUSPENDED", "--config.file"]);
    let (status, lines, said) = output(command.arg(config.path())).await;
    assert_eq!((status, sequences(&lines)), (Some(0), vec![2, 4]), "{said}");
    assert!(said.contains("nothing listens at http://127.0.0.1:1; reading the store /"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_read_says_what_to_do() {
    let running = Running::start(rich()).await;
    let memory =
        file("identities: {hub: {}}\naccounts:\n  - {id: '000011112222', govcloud: {identity: hub}}\n");
    let in_memory = memory.path().to_str().expect("text");
    let nowhere = "--config.file=/nowhere/config.yaml";
    for (url, arguments, status, told) in [
        (NOWHERE, vec!["--config.file", in_memory], 1, "names no file or database in `store`: start"),
        (NOWHERE, vec![nowhere], 78, "nothing listens at http://127.0.0.1:1, and the configuration"),
        (NOWHERE, vec!["--follow"], 1, "--follow needs a running daemon"),
        ("http://name:secret@127.0.0.1:1", vec!["--follow"], 1, "nothing listens at http://127.0.0.1:1;"),
        (&running.url("/below"), vec![], 1, "404 Not Found: is it a regwatch, and of this version?"),
        (&running.url(""), vec!["--parked-by", "a b"], 1, "400 Bad Request: `parked_by`: expected the name"),
        (&running.url(""), vec!["--account", "1"], 2, "exactly 12 digits"),
        (&running.url(""), vec!["--to", "GONE"], 2, "REGISTRATION_PENDING, REGISTRATION_SUCCESS"),
        ("localhost:9847", vec![], 2, "expected an address such as http://127.0.0.1:9847"),
    ] {
        let (code, lines, said) = output(events(url).args(&arguments)).await;
        assert_eq!((code, lines.as_str()), (Some(status), ""), "{url} {arguments:?}: {said}");
        assert!(said.contains(told) && !said.contains("secret"), "{url} {arguments:?}: {said}");
    }
}

#[tokio::test]
async fn following_outlives_a_restart_of_the_daemon() {
    let mut running = Running::start(rich()).await;
    append(&running.view.store, mixed()).await;
    let mut command = events(&running.url(""));
    command.args(["--follow", "--since", "2026-11-21T11:00:00Z", "--to", "SUSPENDED", "--limit", "3"]);
    let mut follower = command.args(["--format", "json"]).spawn().expect("it starts");
    let mut lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    let mut next = async || timeout(PATIENCE, lines.next_line()).await.expect("soon").expect("text");
    assert_eq!(sequences(&next().await.expect("a line")), [4]);

    running.view.stopping.cancel();
    running.shutdown.cancel();
    running.end().await;
    // What happens before it is back.
    append(&running.view.store, mixed()).await;
    let view = regwatch::http::View { stopping: Default::default(), ..running.view.clone() };
    let snapshot = running.snapshot.clone();
    let running = Running::serve(view, snapshot, Limits::default(), SOON, running.address);
    assert_eq!(sequences(&next().await.expect("a line")), [8]);
    append(&running.view.store, mixed()).await;
    assert_eq!(sequences(&next().await.expect("a line")), [12]);
    assert_eq!(next().await, None, "three were asked for");
    let mut said = String::new();
    follower.stderr.take().expect("piped").read_to_string(&mut said).await.expect("text");
    let ended = timeout(PATIENCE, follower.wait()).await.expect("soon").expect("it was started");
    assert!(ended.success(), "{said}");
    assert!(said.contains("regwatch ended the stream; trying again in 0."), "{said}");
}

#[tokio::test]
async fn a_reader_that_has_enough_ends_it_quietly() {
    let running = Running::start(rich()).await;
    let many = (0..5_000).map(|_| event(1, Status::RegistrationFailure)).collect();
    append(&running.view.store, many).await;
    for follow in [&[][..], &["--follow", "--since", "2026-11-21T11:00:00Z"]] {
        let mut child = events(&running.url("")).args(follow).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        assert!(lines.next_line().await.expect("text").expect("a line").starts_with("TIME"));
        drop(lines);
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        timeout(PATIENCE, stderr.read_to_string(&mut said)).await.expect("it ends").expect("text");
        let ended = timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it was started");
        assert_eq!((ended.code(), said.as_str()), (Some(0), ""));
    }
}
