//! What is in `deploy/prometheus`, before the tools that are made for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

/// Runs a tool in a folder, and tells what it says.
fn content(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let said = Command::new(program).current_dir(folder).args(arguments).output();
    let said = said.expect("tests/run has installed it");
    let text = [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(said.status.success(), "{text}");
    text
}

#[test]
fn promtool_finds_nothing_to_say_to_the_rules() {
    content(&deploy(), "promtool", &["check", "rules", "--lint=all", "--lint-fatal", "regwatch.rules.yml"]);
}

#[test]
fn each_alert_is_quiet_fires_and_ends_as_it_should() {
    content(&deploy(), "promtool", &["test", "rules", "regwatch.rules.test.yml"]);
}

#[test]
fn promtool_takes_the_example_of_scraping() {
    let folder = TempDir::new().expect("a temporary folder");
    for name in ["prometheus.yml", "regwatch.rules.yml"] {
        fs::copy(deploy().join(name), folder.path().join(name)).expect("it can be copied");
    }
    // What it names, and the user has.
    fs::create_dir(folder.path().join("regwatch-hosts")).expect("it can be made");
    for name in ["regwatch-ca.crt", "regwatch.password", "regwatch-hosts/one.yml"] {
        fs::write(folder.path().join(name), "").expect("it can be written");
    }
    let said = content(folder.path(), "promtool", &["check", "config", "prometheus.yml"]);
    assert!(!said.contains("WARNING"), "{said}");
}

#[test]
fn amtool_takes_the_example_of_telling() {
    content(&deploy(), "amtool", &["check-config", "alertmanager.yml"]);
}
