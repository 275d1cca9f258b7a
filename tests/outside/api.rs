//! The API before Schemathesis, which makes requests of its description, right ones and wrong ones, and
//! holds every answer to it; and its stream as Python's own HTTP client reads it.

use std::process::Command;
use std::time::Duration;

use regwatch::http::Limits;
use regwatch::model::{Status, TargetId};

use crate::event::{append, became};
use crate::server::{Running, SOON};
use crate::snapshot::rich;

/// A server with something of everything, events of all its targets in the log.
async fn start() -> Running {
    let limits = Limits { keep_alive: Duration::from_millis(200), ..Limits::default() };
    let snapshot = rich();
    let running = Running::start_with(snapshot.clone(), limits, SOON).await;
    let targets = (0..5).map(|id| snapshot.fleet.target(TargetId(id)));
    let events = targets.flat_map(|target| {
        [Status::RegistrationFailure, Status::RegistrationSuccess, Status::Unknown]
            .map(|to| became(target, to, "11:30:00"))
    });
    append(&running.view.store, events.collect()).await;
    running
}

/// Schemathesis's configuration: what is there is asked for half of the time, and nothing is only warned of.
const CONFIGURATION: &str = r#"
[dictionaries.accounts]
values = ["000011112222", "333344445555"]
[dictionaries.regions]
values = ["us-east-1", "eu-central-1"]
[parameters]
"path.account" = { dictionary = "accounts", probability = 0.5 }
"path.region" = { dictionary = "regions", probability = 0.5 }
[warnings]
fail-on = true
"#;

/// Runs a judge to its end, while the server goes on.
async fn run(mut judge: Command) {
    let output = tokio::task::spawn_blocking(move || judge.output()).await.expect("no panic");
    let output = output.expect("tests/run has installed it");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    println!("{}", said[0]);
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_failure() {
    let running = start().await;
    // Streams end once the log has no more, or each would take the client's patience.
    running.view.stopping.cancel();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("schemathesis.toml"), CONFIGURATION).expect("room");
    let mut schemathesis = Command::new("schemathesis");
    schemathesis.current_dir(&folder).args(["--no-color", "run", "--checks", "all", "--continue-on-failure"]);
    schemathesis.args(["--seed", "20261121", "--max-examples", "60", "--generation-database", "none"]);
    schemathesis.args(["--request-timeout", "10"]).arg(running.url("/api/v1/openapi.json"));
    run(schemathesis).await;
}

/// Reads the first three events of the log, goes on after the second, and waits for a comment.
const READ: &str = r#"
import http.client, json, sys, urllib.parse

def stream(headers):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(sys.argv[1]).netloc, timeout=10)
    connection.request("GET", "/api/v1/events/stream?after=0", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream"), answer.headers
    return answer

def events(answer, count):
    fields = {}
    while count:
        line = answer.readline().decode().rstrip("\n")
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            event = json.loads(fields["data"])
            assert event["specversion"] == "1.0" and str(event["data"]["sequence"]) == fields["id"], fields
            yield fields["id"], fields["event"]
            fields, count = {}, count - 1
        else:
            fields = {}

first = list(events(stream({}), 3))
assert first == [("1", "changed"), ("2", "changed"), ("3", "changed")], first
answer = stream({"Last-Event-ID": "2"})
assert next(events(answer, 1)) == ("3", "changed")
while answer.readline() != b":\n":
    pass
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_reads_the_stream_and_resumes_it() {
    let running = start().await;
    let mut python = Command::new("python3");
    python.args(["-c", READ, &running.url("")]);
    run(python).await;
}
