//! What is printed for others to use: policies, completions, the manual page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::{file, regwatch};
use crate::harness::{EXTERNAL_ID, identities};

async fn printed(arguments: &[&str]) -> String {
    let output = regwatch().args(arguments).output().await.expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

fn config() -> tempfile::NamedTempFile {
    file(&format!(
        "{}accounts: [{{id: '111122223333', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}]\n",
        identities()
    ))
}

#[tokio::test]
async fn policies_are_of_the_configuration_and_nobody_is_trusted_by_default() {
    let config = config();
    let path = config.path().to_str().expect("UTF-8");
    let policies: Value =
        serde_json::from_str(&printed(&["iam", "--config.file", path]).await).expect("JSON and nothing else");
    let role = &policies["roles"][0];
    assert_eq!(role["role_arn"], "arn:aws:iam::{account_id}:role/regwatch");
    let trust = &role["trust_policy"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], "{hub_principal_arn}");
    assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], EXTERNAL_ID);
    let hub = &policies["principals"][0]["policies"][0]["document"]["Statement"];
    assert_eq!(hub[0]["Resource"], "arn:aws:iam::111122223333:role/regwatch");

    let template = printed(&["iam", "--format", "cloudformation", "--config.file", path]).await;
    let template: Value = serde_json::from_str(&template).expect("JSON");
    assert!(template["Parameters"]["HubPrincipalArn"].get("Default").is_none(), "{template:#}");
    assert_eq!(template["Resources"]["Role"]["Properties"]["RoleName"], "regwatch");

    let hcl = printed(&["iam", "--format", "terraform", "--for", "hub", "--config.file", path]).await;
    assert!(hcl.contains(r#"actions   = ["sts:AssumeRole"]"#) && !hcl.contains("aws_iam_role\""), "{hcl}");
    let output =
        regwatch().args(["iam", "--for", "nobody", "--config.file", path]).output().await.expect("it starts");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && said.contains("nobody") && said.contains("hub, member"), "{said}");
}

#[tokio::test]
async fn there_are_completions_for_each_shell_and_bash_can_read_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]).await;
        assert!(script.contains("max-pending") && script.contains("test-webhook"), "{shell}: {script}");
    }
    let script = file(&printed(&["completions", "bash"]).await);
    // Where there is no bash, nobody needs it.
    if let Ok(read) = Command::new("bash").arg("-n").arg(script.path()).output().await {
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}

#[tokio::test]
async fn the_manual_page_has_every_command_and_what_is_true_of_all() {
    let page = printed(&["man"]).await;
    assert!(
        page.starts_with(".ie ") || page.starts_with(".TH ") || page.contains("\n.TH REGWATCH 1"),
        "{page}"
    );
    for command in
        ["run", "check\\-config", "poll", "iam", "events", "test\\-webhook", "demo", "completions", "man"]
    {
        let heading = format!("\n.SS \"regwatch {command}\"\n");
        assert!(
            page.contains(&heading) || page.contains(&heading.replace('\\', "")),
            "{command} is not in\n{page}"
        );
    }
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "FILES", "ENVIRONMENT", "EXAMPLES"] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section} is not in\n{page}");
    }
    assert!(page.contains("\n.SH \"EXIT STATUS\"\n"), "{page}");
}

/// A path below `deploy/aws`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/aws").join(name)
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

#[tokio::test]
async fn the_files_for_aws_are_what_is_printed() {
    let readme = std::fs::read_to_string(deployed("README.md")).expect("it is there");
    let mut expected = BTreeSet::from(["README.md", "config.yaml", "hub-trust.json"].map(deployed));
    for command in readme.lines().filter(|line| line.starts_with("regwatch iam ")) {
        let (arguments, name) = command.split_once(" >").expect("each says where to");
        let output = regwatch()
            .args(arguments.split(' ').skip(1))
            .current_dir(deployed(""))
            .output()
            .await
            .expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        let kept = std::fs::read(deployed(name)).unwrap_or_default();
        assert!(
            kept == output.stdout,
            "{name} is not what is printed. To make it anew, in deploy/aws:\n{command}"
        );
        expected.insert(deployed(name));
    }
    assert_eq!(files(&deployed("")), expected);
}
