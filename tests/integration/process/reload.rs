//! What has the configuration read anew: a signal, a request, a change of the file.
//!
//! What is in force shows in the log, whose level each configuration here sets in its own way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use regwatch::sim::World;
use reqwest::{Method, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, Running, regwatch, regwatch_as_hub};
use crate::harness::{Aws, hub, identities, member};

const IN_FORCE: &str = "was read anew and is in force";
const REFUSED: &str = "was refused";
const WATCHING: &str = "watching the configuration file";
const LOOKED: &str = "something has changed at the configuration file";

/// A configuration that can be told from others by the level of a module that says nothing.
fn config(level: &str) -> String {
    format!(
        "log: {{level: 'info,reload=debug,clock={level}'}}
polling: {{start_window: 100ms}}
{}accounts: [{{id: '000000000001', govcloud: {{identity: hub}}}}]\n",
        identities()
    )
}

/// What the log says when that one is in force.
fn said(level: &str) -> String {
    format!("clock={level}")
}

async fn aws() -> Aws {
    Aws::start(World::new().management(hub()).member(member(1))).await
}

/// A folder with a configuration.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    fs::write(&file, config("error")).expect("writable");
    (folder, file)
}

/// Starts it, and waits until it serves.
async fn start(aws: &Aws, file: &Path, options: &[&str]) -> Running {
    let mut command: Command = regwatch_as_hub(&aws.url);
    command.args(["run", "--web.listen-address", "127.0.0.1:0", "--config.file"]).arg(file).args(options);
    Running::listening(command).await
}

/// Starts it, and waits until it would be notified of a change.
async fn start_watching(aws: &Aws, file: &Path) -> Running {
    let mut running = start(aws, file, &["--config.watch"]).await;
    if running.count(WATCHING) == 0 {
        running.until_said(WATCHING).await;
    }
    running
}

impl Running {
    /// Does something, and waits until the log says all of these, in any order.
    async fn until_all_said(&mut self, change: impl FnOnce(), texts: &[&str]) {
        let from = self.said.len();
        change();
        let is_said = |said: &[String], text: &str| said[from..].iter().any(|line| line.contains(text));
        while let Some(text) = texts.iter().find(|text| !is_said(&self.said, text)) {
            self.until_said(text).await;
        }
    }

    async fn request(&self, method: Method, headers: &[(&'static str, &str)]) -> reqwest::Response {
        let mut request = self.client.request(method, format!("{}/-/reload", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        timeout(PATIENCE, request.send()).await.expect("an answer comes").expect("an answer")
    }

    async fn reload(&self) -> (StatusCode, String) {
        let answer = self.request(Method::POST, &[]).await;
        (answer.status(), answer.text().await.expect("text"))
    }

    /// How often the log says something.
    fn count(&self, text: &str) -> usize {
        self.said.iter().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test]
async fn sighup_reads_the_file_anew_and_a_bad_one_changes_nothing() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let mut running = start(&aws, &file, &[]).await;
    fs::write(&file, config("warn")).expect("writable");
    running.signal("HUP").await;
    running.until_said(&said("warn")).await;
    fs::write(&file, "polling: {intervall: 1s, timeout: never}\n").expect("writable");
    running.signal("HUP").await;
    let line = running.until_said(REFUSED).await;
    for part in ["ERROR", "SIGHUP", ":1:11: unknown key `intervall`", ":1:35: `timeout` is `never`"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    fs::write(&file, config("debug")).expect("writable");
    running.signal("HUP").await;
    running.until_said(&said("debug")).await;
    running.until_well().await;
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    let count = |text: &str| log.matches(text).count();
    assert_eq!((count(IN_FORCE), count(REFUSED)), (2, 1), "each is told once:\n{log}");
}

#[tokio::test]
async fn sighup_does_not_end_the_demo() {
    let mut command = regwatch();
    command.args(["demo", "--web.listen-address", "127.0.0.1:0"]);
    let mut running = Running::listening(command).await;
    running.signal("HUP").await;
    running.until_said(REFUSED).await;
    running.signal("INT").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
}

#[tokio::test]
async fn a_request_reads_the_file_anew_where_that_is_enabled() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let mut running = start(&aws, &file, &["--web.enable-lifecycle"]).await;
    fs::write(&file, config("warn")).expect("writable");
    let (status, text) = running.reload().await;
    assert_eq!((status, text.contains("in force")), (StatusCode::OK, true), "{text}");
    running.until_said(&said("warn")).await;
    assert_eq!(running.request(Method::PUT, &[]).await.status(), StatusCode::OK);

    fs::write(&file, "polling: {intervall: 1s, timeout: never}\n").expect("writable");
    let (status, text) = running.reload().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains(":1:11: unknown key `intervall`") && text.contains(":1:35: `timeout`"), "{text}");

    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let answer = running.request(method, &[]).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "POST,PUT");
    }
    running.signal("TERM").await;
    let (_, log) = running.ended().await;
    assert_eq!((log.matches(IN_FORCE).count(), log.matches(REFUSED).count()), (2, 1), "{log}");
}

#[tokio::test]
async fn a_request_is_refused_where_it_is_not_enabled_or_comes_from_another_site() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let running = start(&aws, &file, &[]).await;
    let (status, text) = running.reload().await;
    assert_eq!((status, text.contains("--web.enable-lifecycle")), (StatusCode::FORBIDDEN, true), "{text}");

    let running = start(&aws, &file, &["--web.enable-lifecycle"]).await;
    for (headers, expected) in [
        ([("origin", "https://example.com")], StatusCode::FORBIDDEN),
        ([("origin", "null")], StatusCode::FORBIDDEN),
        ([("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        ([("sec-fetch-site", "same-origin")], StatusCode::OK),
        ([("origin", &running.url)], StatusCode::OK),
    ] {
        let answer = running.request(Method::POST, &headers).await;
        assert_eq!(answer.status(), expected, "{headers:?}");
    }
    running.signal("TERM").await;
    let (_, log) = running.ended().await;
    assert_eq!(log.matches(IN_FORCE).count(), 2, "{log}");
}

#[tokio::test]
async fn the_body_of_a_request_is_not_waited_for() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let running = start(&aws, &file, &["--web.enable-lifecycle"]).await;
    let address = running.url.strip_prefix("http://").expect("an address");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let head = "POST /-/reload HTTP/1.1\r\nHost: regwatch\r\nContent-Length: 1000000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("taken");
    let mut answer = [0; 15];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer comes").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn those_who_ask_at_once_are_answered_in_turn() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let running = start(&aws, &file, &["--web.enable-lifecycle"]).await;
    running.signal("HUP").await;
    let answers = futures_util::future::join_all((0..20).map(|_| running.reload())).await;
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK), "{answers:?}");
    running.signal("TERM").await;
    let (_, log) = running.ended().await;
    assert_eq!(log.matches("a request over HTTP").count(), 20, "{log}");
}

#[tokio::test]
async fn a_changed_file_is_read_anew_however_it_changed() {
    let (aws, (folder, file)) = (aws().await, folder());
    let mut running = start_watching(&aws, &file).await;

    let in_place = || fs::write(&file, config("warn")).expect("writable");
    running.until_all_said(in_place, &[LOOKED, &said("warn")]).await;

    let other = folder.path().join(".config.yaml.swp");
    let renamed_over = || {
        fs::write(&other, config("info")).expect("writable");
        fs::rename(&other, &file).expect("it can be renamed");
    };
    running.until_all_said(renamed_over, &[LOOKED, &said("info")]).await;

    let deleted = || fs::remove_file(&file).expect("it is there");
    running.until_all_said(deleted, &["cannot be read"]).await;
    let made_again = || fs::write(&file, config("debug")).expect("writable");
    running.until_all_said(made_again, &["is there again", &said("debug")]).await;

    let bad = || fs::write(&file, "accounts: 3\n").expect("writable");
    running.until_all_said(bad, &[LOOKED, REFUSED]).await;
    let back = || fs::write(&file, config("trace")).expect("writable");
    running.until_all_said(back, &[LOOKED, &said("trace")]).await;
    assert_eq!(running.count(IN_FORCE), 4, "{}", running.said.join("\n"));
}

/// As the kubelet writes a `ConfigMap` into its volume: a new folder, and a link renamed over the old one.
fn project(mount: &Path, turn: usize, text: &str) {
    let [old, new] = [turn.wrapping_sub(1), turn].map(|turn| format!("..2026_11_21_{turn}"));
    fs::create_dir(mount.join(&new)).expect("a folder");
    fs::write(mount.join(&new).join("config.yaml"), text).expect("writable");
    symlink(&new, mount.join("..data_tmp")).expect("a link");
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("it can be renamed");
    if turn > 0 {
        fs::remove_dir_all(mount.join(&old)).expect("it is there");
    }
}

#[tokio::test]
async fn the_swap_of_a_config_map_is_noticed_each_time() {
    let aws = aws().await;
    let mount = tempfile::tempdir().expect("a folder");
    project(mount.path(), 0, &config("error"));
    let file = mount.path().join("config.yaml");
    symlink("..data/config.yaml", &file).expect("a link");
    let mut running = start_watching(&aws, &file).await;
    for (turn, level) in [(1, "warn"), (2, "info"), (3, "debug")] {
        let swap = || project(mount.path(), turn, &config(level));
        running.until_all_said(swap, &[LOOKED, &said(level)]).await;
    }
}

#[tokio::test]
async fn after_a_burst_of_writes_the_last_is_in_force() {
    let (aws, (_folder, file)) = (aws().await, folder());
    let mut running = start_watching(&aws, &file).await;
    let burst = || {
        for turn in 0..49 {
            let level = ["warn", "info", "debug"][turn % 3];
            fs::write(&file, config(level)).expect("writable");
        }
        fs::write(&file, config("trace")).expect("writable");
    };
    running.until_all_said(burst, &[&said("trace")]).await;
    let reloads = running.count(IN_FORCE) + running.count(REFUSED);
    assert!((1..=25).contains(&reloads), "{reloads} reloads for one burst");
}

#[tokio::test]
async fn a_touch_reads_nothing_anew() {
    let (aws, (folder, file)) = (aws().await, folder());
    let mut running = start_watching(&aws, &file).await;
    for _ in 0..3 {
        let touch = || {
            let file = fs::File::options().append(true).open(&file).expect("it can be opened");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("it is ours");
        };
        running.until_all_said(touch, &[LOOKED]).await;
        let same = || {
            let other = folder.path().join("other");
            fs::write(&other, config("error")).expect("writable");
            fs::rename(&other, &file).expect("it can be renamed");
        };
        running.until_all_said(same, &[LOOKED]).await;
    }
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(log.matches(IN_FORCE).count() + log.matches(REFUSED).count(), 0, "{log}");
}
