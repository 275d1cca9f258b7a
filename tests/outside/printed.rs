//! What regwatch prints for others, before those: policies before cfn-lint, moto and a parser of HCL, the
//! manual page before groff and mandoc, completions before their shells.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::NamedTempFile;

fn regwatch(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_regwatch")).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

/// An organization behind one hub, with a gateway on the way to so many members, one of whom asks for its
/// own GovCloud account.
fn organization(members: u64) -> String {
    let mut yaml = "
identities:
  hub: {}
  org.management: {profile: management}
  gateway: {from: hub, assume_role: {role_arn: 'arn:aws:iam::123456789012:role/ways/gateway'}}
  member: {from: gateway, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/regwatch', external_id: 'an:external/id'}}
  onwards: {from: member, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/onwards'}}
accounts:
  - {id: '444455556666', fleetwise: {identity: onwards, regions: [ap-south-1]}, govcloud: {identity: member}}\n"
        .to_owned();
    for number in 1..=members {
        yaml += &format!(
            "  - {{id: '{number:012}', fleetwise: {{identity: member, regions: [us-east-1, eu-central-1]}}, \
             govcloud: {{identity: org.management}}}}\n"
        );
    }
    yaml
}

fn assert_content(judge: &mut Command) {
    let Output { status, stdout, stderr } =
        judge.output().unwrap_or_else(|error| panic!("{judge:?}: {error}"));
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.is_empty(), "{judge:?} says:\n{said}");
}

#[test]
fn policies_are_taken_by_who_reads_them_and_all_formats_say_the_same() {
    // Beyond 130 members they take more than one policy, beyond some 1,100 a pattern.
    for members in [1, 150, 1500] {
        let config = file(&organization(members));
        let path = config.path().to_str().expect("UTF-8");
        let iam = |more: &[&str]| regwatch(&[&["iam", "--config.file", path], more].concat());
        let names = ["hub", "org.management", "gateway", "member", "onwards"];
        let templates: BTreeMap<_, _> =
            names.iter().map(|name| (name, iam(&["--format", "cloudformation", "--for", name]))).collect();
        let shown = json!({
            "documents": iam(&[]),
            "terraform": iam(&["--format", "terraform"]),
            "templates": templates,
        });
        let mut judge = Command::new("python3");
        judge.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/printed_policies.py"));
        let mut judge = judge.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("there is Python");
        judge.stdin.take().expect("piped").write_all(shown.to_string().as_bytes()).expect("it reads");
        let said = judge.wait_with_output().expect("it ends");
        assert!(said.status.success(), "{members} members:\n{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn the_manual_page_is_sound() {
    let page = file(&regwatch(&["man"]));
    assert_content(Command::new("groff").args(["-ww", "-man", "-Tutf8", "-z"]).arg(page.path()));
    // What is not sound, rather than what is not its own style.
    assert_content(Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(page.path()));
}

#[test]
fn the_shells_can_read_their_completions() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = file(&regwatch(&["completions", shell]));
        assert_content(Command::new(shell).arg(check).arg(script.path()));
    }
}
