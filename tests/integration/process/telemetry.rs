//! The log as programs and people find it: its levels, its lines, and what the journal is told.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use regwatch::sim::World;
use tokio::process::Command;

use super::{Running, file, regwatch, regwatch_as_hub};
use crate::harness::{Aws, hub, identities, member};

/// What `run` says of a file with two mistakes, on a pipe that `JOURNAL_STREAM` names, or nearly so.
async fn said_of_mistakes(format: &str, inode_off_by: u64) -> String {
    let config = file("polling: {intervall: 1s, timeout: never}\n");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let pipe = File::from(writer.as_fd().try_clone_to_owned().expect("a descriptor")).metadata();
    let pipe = pipe.expect("its inode");
    let stream = format!("{}:{}", pipe.dev(), pipe.ino() + inode_off_by);
    let mut command = regwatch();
    command.args(["run", "--log.format", format, "--config.file"]).arg(config.path());
    command.env("JOURNAL_STREAM", stream).env("TERM", "xterm").stderr(writer);
    let status = command.status().await.expect("it starts");
    assert_eq!(status.code(), Some(78));
    // The command holds the other end until it is gone.
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("UTF-8");
    said
}

#[tokio::test]
async fn the_journal_is_told_how_important_a_line_is() {
    let text = said_of_mistakes("text", 0).await;
    assert!(
        text.lines().count() >= 2 && text.lines().all(|line| line.starts_with("<3>ERROR cli: ")),
        "{text}"
    );
    let json = said_of_mistakes("json", 0).await;
    for line in json.lines() {
        let object = line.strip_prefix("<3>").unwrap_or_else(|| panic!("{line}"));
        let object: serde_json::Value = serde_json::from_str(object).expect("JSON");
        assert_eq!((&object["level"], &object["target"]), (&"ERROR".into(), &"cli".into()), "{line}");
    }
    let redirected = said_of_mistakes("text", 1).await;
    assert!(
        redirected.lines().all(|line| line.starts_with("20") && line.contains("Z ERROR cli: ")),
        "{redirected}"
    );
    assert!(!text.contains('\x1b') && !redirected.contains('\x1b'), "a pipe has no colours");
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let config = file("polling: {intervall: 1s}\n");
    let regwatch_on_a_terminal = async |set: &[(&str, &str)]| {
        let mut command = Command::new("script");
        let program = env!("CARGO_BIN_EXE_regwatch");
        let run = format!("{program} run --config.file {}", config.path().display());
        command
            .args(["-qec", &run, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm");
        command.envs(set.iter().copied()).stdin(Stdio::null());
        let output = command.output().await.expect("script is everywhere");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let coloured = regwatch_on_a_terminal(&[]).await;
    assert!(coloured.contains("\x1b[31mERROR\x1b[0m"), "{coloured:?}");
    for set in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = regwatch_on_a_terminal(&[set]).await;
        assert!(plain.contains("ERROR cli: ") && !plain.contains("\x1b["), "{plain:?}");
    }
}

#[tokio::test]
async fn the_levels_of_the_configuration_hold_over_the_option_and_change_with_a_reload() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let config = |log: &str| {
        format!(
            "{log}polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms}}
{}accounts: [{{id: '000000000001', govcloud: {{identity: hub}}}}]\n",
            identities()
        )
    };
    let file = file(&config("log: {level: 'info,tracker=debug'}\n"));
    let mut command = regwatch_as_hub(&aws.url);
    command.args(["--log.level", "info,store=trace"]);
    let mut running = Running::start(command, file.path()).await;
    running.until_said("DEBUG tracker: polled").await;
    fs::write(file.path(), config("")).expect("writable");
    running.signal("HUP").await;
    running.until_said(r#"other log lines are written from now on level="info,store=trace""#).await;
    let from = running.said.len();
    let polls = running.until_well().await.sum("regwatch_polls_total");
    running.until("it polls on", |page| page.sum("regwatch_polls_total") > polls + 2.0).await;
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    let after: Vec<_> = log.lines().skip(from).filter(|line| line.contains("DEBUG tracker")).collect();
    assert_eq!(after, [""; 0], "the module is silent again");
}

#[tokio::test]
async fn an_unknown_level_or_module_is_a_wrong_command_line() {
    let output =
        regwatch().args(["run", "--log.level", "inof,poler=debug,hyper=trace"]).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in
        ["did you mean `info`?", "did you mean `poller`?", "unknown module `hyper`", "of other crates only"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
