//! A history that moves from a file to the database and back, with the program killed on the way, and a daemon
//! that goes on from it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use regwatch::config;
use regwatch::model::{Entry, Region, Resource, Status};
use regwatch::sim::{Registration, RegistrationStatus, World};
use regwatch::store::OpenError;
use sqlx::ConnectOptions as _;

use super::server::Server;
use super::*;
use crate::container::sandbox::printed;
use crate::container::until_well;
use crate::harness::{Aws, KEY, hub, id, identities, member};
use crate::place::Place;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::store::copy::{assert_same, copied, fill};
use crate::store::log;

/// So slow that a copy takes seconds, however fast the machine is.
const SLOW: Duration = Duration::from_millis(5);

/// A store in a file of a folder.
fn in_file(folder: &Path, name: &str) -> config::Store {
    config::Store { path: Some(folder.join(name)), ..config::Store::default() }
}

async fn open(settings: &config::Store) -> Store {
    Store::open(settings).await.expect("it opens")
}

/// A configuration of a member that is polled each second, with a store.
fn configured(folder: &Path, name: &str, store: &config::Store) -> std::path::PathBuf {
    let store = match (&store.postgres, &store.path) {
        (Some(database), _) => {
            format!(
                "{{postgres: {{url_file: {}, schema: {}}}}}",
                database.url_file.display(),
                database.schema
            )
        }
        (None, path) => format!("{{path: {}}}", path.as_ref().expect("a file").display()),
    };
    let yaml = format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms}}
store: {store}
{}accounts:
  - {{id: '000000000001', fleetwise: {{identity: member, regions: [us-east-1]}}}}
",
        identities()
    );
    let path = folder.join(name);
    std::fs::write(&path, yaml).expect("it can be written");
    path
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regwatch"));
    command.args(arguments);
    command
}

fn copying(from: &Path, to: &Path) -> Command {
    let [from, to] = [from, to].map(|path| path.to_str().expect("a text"));
    program(&["store", "copy", "--from", from, "--to", to])
}

/// The lines of the table that a copy prints.
fn table(output: &Output) -> Vec<String> {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{out}{err}");
    out.lines().take(10).map(str::to_owned).collect()
}

/// Starts a copy, kills it once the target has so many events, and sees that no daemon takes what is left.
async fn killed_at(count: i64, from: &Path, to: &Path, target: &config::Store) {
    let mut child = copying(from, to).stdout(Stdio::null()).spawn().expect("it starts");
    until("there are so many events", async || {
        assert!(child.try_wait().expect("a child").is_none(), "it was too fast to be killed");
        events_at(target).await >= count
    })
    .await;
    child.kill().expect("it is at work");
    child.wait().expect("a child");
    let early = Store::open(target).await.expect_err("it is not whole");
    assert!(matches!(early, OpenError::Unfinished { .. }), "{early}");
}

/// How many events a store has, even one that is not whole; none where there is no store yet.
async fn events_at(store: &config::Store) -> i64 {
    let count = "SELECT COUNT(*) FROM events";
    match (&store.postgres, &store.path) {
        (Some(database), _) => {
            let server = Server::shared().await;
            let mut connection = server.connect().await;
            let count = format!("SELECT COUNT(*) FROM {}.events", database.schema);
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut connection).await;
            count.unwrap_or(0)
        }
        (None, path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path.as_ref().expect("a file"));
            let Ok(mut connection) = options.read_only(true).connect().await else { return 0 };
            sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap_or(0)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_with_kills_on_the_way_it_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, last) = (in_file(folder.path(), "first.db"), in_file(folder.path(), "last.db"));
    let store = open(&first).await;
    fill(&store, 20_000).await;
    store.close().await;
    let place = Place::new().await;
    let proxy = Proxy::to(place.server.port).await;
    proxy.delay(SLOW);
    let between = place.through(proxy.address.port());
    let [a, b, c] = [("a.yaml", &first), ("b.yaml", &between), ("c.yaml", &last)]
        .map(|(name, store)| configured(folder.path(), name, store));

    let mut tables = Vec::new();
    for (from, to, target) in [(&a, &b, &between), (&b, &c, &last)] {
        for count in [1, 6000, 14_000] {
            killed_at(count, from, to, target).await;
        }
        tables.push(table(&copying(from, to).output().expect("it starts")));
    }
    assert_eq!(tables[0], tables[1], "the same rows have the same checksums, whichever engine keeps them");
    proxy.open();
    assert_same(open(&first).await, open(&between).await).await;
    assert_same(open(&first).await, open(&last).await).await;
    assert!(copied(&first, &last).await.unwrap().was_whole);
}

/// What AWS says of the account in each turn, and how that is told.
const STATES: [(RegistrationStatus, Status); 3] = [
    (RegistrationStatus::Pending, Status::RegistrationPending),
    (RegistrationStatus::Failure, Status::RegistrationFailure),
    (RegistrationStatus::Success, Status::RegistrationSuccess),
];

/// What is in the log of a store that nobody uses.
async fn entries(store: &config::Store) -> Vec<Entry> {
    let store = Store::open_to_read(store).await.expect("it opens");
    let entries = log(&store).await;
    store.close().await;
    entries
}

async fn daemon(config: &Path, aws: &Aws) -> Program {
    let mut command = program(&["run", "--web.listen-address=127.0.0.1:0", "--config.file"]);
    command.arg(config).env("AWS_ENDPOINT_URL", &aws.url).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
    Program::start(&mut command, "listening for HTTP").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_goes_on_from_the_copy_and_repeats_and_loses_nothing() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new().await;
    let stores =
        [in_file(folder.path(), "first.db"), place.settings.clone(), in_file(folder.path(), "last.db")];
    let names = ["a.yaml", "b.yaml", "c.yaml"];
    let configs: Vec<_> =
        names.iter().zip(&stores).map(|(name, store)| configured(folder.path(), name, store)).collect();
    let client = reqwest::Client::new();
    let mut known: Vec<Entry> = Vec::new();
    for (turn, (config, store)) in configs.iter().zip(&stores).enumerate() {
        if turn > 0 {
            table(&copying(&configs[turn - 1], config).output().expect("it starts"));
            assert_eq!(entries(store).await, known);
        }
        // While nobody watches.
        let registration = Registration::new(STATES[turn].0);
        aws.control.set_registration(id(1), &Region::new("us-east-1"), Some(registration));
        let mut running = daemon(config, &aws).await;
        until_well(&client, &running.url, 1).await;
        let pid = running.id().to_string();
        let ended = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        assert!(ended.success());
        assert!(running.ended().await.success(), "{}", running.log());
        let now = entries(store).await;
        let new = now.strip_prefix(&known[..]).expect("what was known is as it was");
        let of_account =
            new.iter().map(|entry| &entry.event.transition).filter(|step| step.resource == Resource::Account);
        let told: Vec<_> = of_account.map(|step| (step.from, step.to)).collect();
        assert_eq!(told, [(turn.checked_sub(1).map(|before| STATES[before].1), STATES[turn].1)]);
        known = now;
        let mut events = program(&["events", "--url=http://127.0.0.1:1", "--format=json", "--config.file"]);
        assert_eq!(printed(events.arg(config)).lines().count(), known.len(), "told while no daemon listens");
    }
    let numbers: Vec<_> = known.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (1..=known.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_to_be_read_is_left_as_it_is() {
    let place = Place::new().await;
    let refused =
        async || Store::open_to_read(&place.settings).await.expect_err("it cannot be read").to_string();
    let missing = refused().await;
    assert!(missing.starts_with(&format!("there is no store in schema {} of", place.schema())), "{missing}");
    assert_eq!(refused().await, missing, "it was not made");
    place.open().await.close().await;
    place.run("DELETE FROM forms").await;
    let older = refused().await;
    assert!(older.contains("has a form of an older release; start the daemon of this one"), "{older}");
}
