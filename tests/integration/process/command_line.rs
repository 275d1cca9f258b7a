//! What a person types, and what the program answers.

use regwatch::model::Region;
use regwatch::sim::{Registration, World};

use super::{Running, file, regwatch, regwatch_as_hub};
use crate::harness::{Aws, EXTERNAL_ID, KEY, hub, id, identities, member};

#[tokio::test]
async fn a_sound_configuration_comes_with_its_capacity_plan() {
    let mut yaml = format!("{}accounts:\n", identities());
    for number in 1..=3000 {
        let fleetwise =
            if number <= 2 { "fleetwise: {identity: member, regions: [us-east-1]}, " } else { "" };
        yaml += &format!("  - {{id: '{}', {fleetwise}govcloud: {{identity: hub}}}}\n", id(number));
    }
    let config = file(&yaml);
    let output = regwatch().arg("check-config").arg(config.path()).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |service: &str| rows.iter().find(|row| row.first() == Some(&service)).expect("a row").clone();
    assert_eq!(
        row("account")[1..],
        [
            "us-east-1",
            "identity",
            "hub",
            "3000",
            "10.000",
            "2.000",
            "25m00s",
            "TOO",
            "SLOW",
            "for",
            "the",
            "interval"
        ]
    );
    assert_eq!(
        row("iotfleetwise")[1..9],
        ["us-east-1", "each", "of", "2", "accounts", "1", "0.003", "5.000"]
    );
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_ends_with_status_78() {
    let config = file("acounts: []\n");
    for verb in ["check-config", "run"] {
        let mut command = regwatch();
        command.arg(verb);
        if verb == "run" {
            command.arg("--config.file");
        }
        let output = command.arg(config.path()).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(text.contains(":1:1:") && text.contains("acounts") && text.contains("accounts"), "{text}");
    }
    let output = regwatch().args(["check-config", "/nowhere/config.yaml"]).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains("/nowhere/config.yaml") && text.contains("No such file"), "{text}");
}

#[tokio::test]
async fn mistakes_of_the_web_configuration_are_told_beside_those_of_the_other() {
    let (bad, web) = (file("acounts: []\n"), file("basic_auth_users: {alice: secret}\n"));
    for verb in [&["check-config"][..], &["run", "--config.file"]] {
        let mut command = regwatch();
        command.args(verb).arg(bad.path()).arg("--web.config.file").arg(web.path());
        let output = command.output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(
            text.contains("acounts") && text.contains(":1:27: what `alice` has is no bcrypt hash"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
    let good = file("identities: {hub: {}}\naccounts: [{id: '111122223333', govcloud: {identity: hub}}]\n");
    let names_a_file = file("tls_server_config: {cert_file: /nowhere/crt, key_file: /nowhere/key}\n");
    for (more, status) in [(&[][..], 78), (&["--syntax-only"], 0)] {
        let mut command = regwatch();
        command.arg("check-config").arg(good.path()).args(more);
        let output = command.arg("--web.config.file").arg(names_a_file.path()).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert_eq!(text.contains("/nowhere/crt") && text.contains("/nowhere/key"), status == 78, "{text}");
    }
    let output = regwatch().args(["demo", "--web.open-health"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2), "it takes a web configuration: {output:?}");
}

#[tokio::test]
async fn the_files_that_a_configuration_names_are_checked_too_unless_asked_not_to() {
    let config = file(
        "identities: {hub: {}}
accounts: [{id: '111122223333', govcloud: {identity: hub}}]
events: {webhooks: [{name: fleet-ops, url: 'http://127.0.0.1:9/', secret_file: /nowhere/secret}]}\n",
    );
    let output = regwatch().arg("check-config").arg(config.path()).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{text}");
    let all = ["webhook `fleet-ops`", "`secret_file` /nowhere/secret", "No such file"];
    assert!(all.iter().all(|part| text.contains(part)), "{text}");
    let output =
        regwatch().args(["check-config", "--syntax-only"]).arg(config.path()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn it_tells_its_version_and_what_each_verb_is_for() {
    let output = regwatch().arg("--version").output().await.unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        concat!("regwatch ", env!("CARGO_PKG_VERSION"))
    );
    for verb in [
        "run",
        "check-config",
        "poll",
        "iam",
        "events",
        "store",
        "test-webhook",
        "demo",
        "completions",
        "man",
    ] {
        let output = regwatch().args([verb, "--help"]).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Example: regwatch "), "{text}");
    }
}

#[tokio::test]
async fn a_transition_is_one_line_and_no_secret_is_in_any() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let yaml = format!(
        "polling: {{interval: 1s, pending_interval: 500ms, failed_interval: 1s, timeout: 400ms, start_window: 100ms}}
{}accounts:
  - {{id: '000000000001', name: fleet-one, fleetwise: {{identity: member, regions: [us-east-1]}}}}\n",
        identities()
    );
    let config = file(&yaml);
    let mut command = regwatch_as_hub(&aws.url);
    command.args(["--log.format", "json", "--log.level", "trace"]);
    let mut running = Running::start(command, config.path()).await;
    running.until_well().await;
    let failed = Registration::iam_failure("The role cannot be assumed.");
    aws.control.set_registration(id(1), &Region::new("us-east-1"), Some(failed));
    running.until_said(r#""resource":"iam","from":"REGISTRATION_SUCCESS""#).await;
    aws.control.expire_sessions();
    running.until_said("recovered").await;
    running.signal("TERM").await;
    let (_, log) = running.ended().await;

    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let changed = |resource: &str| {
        let is =
            |line: &&serde_json::Value| line["message"] == "state changed" && line["resource"] == resource;
        crate::harness::only(lines.iter().filter(is))
    };
    let line = changed("account");
    for (field, value) in [
        ("level", "INFO"),
        ("account.id", "000000000001"),
        ("account.name", "fleet-one"),
        ("aws.region", "us-east-1"),
        ("probe", "fleetwise"),
        ("from", "REGISTRATION_SUCCESS"),
        ("to", "REGISTRATION_FAILURE"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!(changed("iam")["error"], "The role cannot be assumed.");
    for secret in [KEY.1, EXTERNAL_ID, "SessionToken", "security-token"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
