//! The status pages in a real browser: Chromium drives, axe-core judges, and pictures of all that was seen
//! are kept for people to look at.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use regwatch::http::{Limits, View};
use regwatch::model::{Event, Region, Snapshot, Status, Target, TargetId};
use regwatch::sim::{Registration, RegistrationStatus, World};
use regwatch::store::{Contact, Touch};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::{append, became};
use crate::harness::{Aws, hub, id, identities, member};
use crate::scene::{days_before, events, hostile, many};
use crate::server::{Running, SOON};
use crate::snapshot::{at, rich};

/// A script of `tests/outside/browser`, where the packages of tests/run are at hand.
fn node(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    node.arg(here.join("tests/outside/browser").join(script));
    node.env("TOOLS", here.join("target/tools/browser"));
    node
}

async fn serve(snapshot: Arc<Snapshot>, happened: Vec<Event>) -> Running {
    let running = Running::start(snapshot).await;
    append(&running.view.store, happened).await;
    running
}

/// The same of a replica that its store has not answered for a while.
fn cut_off(view: View) -> Running {
    let (_, contact) = watch::channel(Touch { at: at("11:52:00"), lasts_until: Instant::now() });
    let snapshot = watch::Sender::new(view.snapshot.borrow().clone());
    let view = View { contact: Some(Contact::new(contact)), ..view };
    Running::serve(view, snapshot, Limits::default(), SOON, ([127, 0, 0, 1], 0).into())
}

/// A registration that failed two days ago, was made anew and failed this morning.
fn story(target: &Target) -> Vec<Event> {
    let (success, pending, failure) =
        (Status::RegistrationSuccess, Status::RegistrationPending, Status::RegistrationFailure);
    let steps = [
        (days_before(6, "03:00:00"), success),
        (days_before(2, "21:30:00"), failure),
        (days_before(1, "07:10:00"), pending),
        (days_before(1, "07:45:00"), success),
        (at("04:20:00"), pending),
        (at("05:00:00"), success),
        (at("10:50:00"), pending),
        (at("11:41:00"), failure),
    ];
    let step = |pair: &[(Timestamp, Status)]| {
        let [(since, from), (seen, to)] = pair else { unreachable!("pairs") };
        let mut event = became(target, *to, "11:00:00");
        event.transition.from = Some(*from);
        event.transition.previous_since = Some(*since);
        event.transition.observed_at = *seen;
        event
    };
    steps.windows(2).map(step).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_can_read_the_pages_wherever_they_are() {
    let snapshot = rich();
    let happened = (0..2).flat_map(|id| {
        let target = snapshot.fleet.target(TargetId(id));
        story(target)
    });
    let everything = serve(snapshot.clone(), happened.collect()).await;
    let (snapshot, happened) = hostile();
    let evil = serve(snapshot, happened).await;
    let nothing = serve(Arc::new(Snapshot::new(Arc::default(), at("11:59:59"))), Vec::new()).await;
    let snapshot = many(1_000);
    let crowd = serve(snapshot.clone(), events(&snapshot)).await;
    let out_of_touch = cut_off(everything.view.clone());
    let pages = [
        ("overview", &everything, "/"),
        ("out-of-touch", &out_of_touch, "/"),
        ("target", &everything, "/targets/000011112222/fleetwise/eu-central-1"),
        ("events", &everything, "/events"),
        ("scopes", &everything, "/scopes"),
        ("nothing-matches", &everything, "/?q=nobody&health=splendid"),
        ("hostile", &evil, "/"),
        ("hostile-target", &evil, "/targets/111122223333/fleetwise/x%22%2F..%2F%3Cb%3E%3F%23%252e"),
        ("hostile-events", &evil, "/events"),
        ("hostile-scopes", &evil, "/scopes"),
        ("empty", &nothing, "/"),
        ("empty-events", &nothing, "/events"),
        ("thousand-accounts", &crowd, "/?page=3"),
    ];
    let list: Vec<_> = pages
        .iter()
        .map(|(name, running, path)| json!({"name": name, "origin": running.url(""), "path": path}))
        .collect();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    let mut judge = node("judge.mjs");
    judge.arg(&pictures).arg(serde_json::Value::from(list).to_string());
    let output = tokio::task::spawn_blocking(move || judge.output()).await.expect("no panic");
    let output = output.expect("tests/run has installed it");
    println!("screenshots of the pages are in {}", pictures.display());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_stays_true_and_leaves_alone_what_is_typed() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let yaml = format!(
        "polling: {{interval: 500ms, pending_interval: 500ms, failed_interval: 500ms, timeout: 400ms, start_window: 100ms}}
{}accounts:
  - {{id: '000000000001', name: one, fleetwise: {{identity: member, regions: [us-east-1]}}}}
",
        identities()
    );
    let watch = aws.watch(&yaml).await;
    let mut browser = node("live.mjs");
    browser.args([&watch.url, "Registered", "Pending"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let control = aws.control.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let mut browser = browser.spawn().expect("tests/run has installed it");
        let said = BufReader::new(browser.stdout.take().expect("it is piped"));
        let next = [RegistrationStatus::Pending, RegistrationStatus::Success];
        for (line, status) in said.lines().zip(next) {
            assert_eq!(line.expect("text"), "ready");
            control.set_registration(id(1), &Region::new("us-east-1"), Some(Registration::new(status)));
        }
        browser.wait().expect("it is a child")
    });
    let ended = ended.await.expect("no panic");
    watch.end().await;
    assert!(ended.success(), "its complaints are above");
}
