//! What kustomize makes of a folder, and what Kubernetes and the Prometheus operator would say to it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::container::sandbox::printed;

/// The oldest and the newest release that the manifests are held against.
const RELEASES: [&str; 2] = ["1.32", "1.37"];

/// The group of the operator's resources, which Kubernetes itself does not know.
const OPERATOR: &str = "monitoring.coreos.com/v1";

/// A path below the repository.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The documents of a YAML stream.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    const READ: &str = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let json = piped(Command::new("python3").args(["-c", READ]), yaml);
    serde_json::from_str(&json).expect("JSON")
}

/// The resources that kustomize makes of a folder.
pub(crate) fn build(folder: &Path) -> Vec<Value> {
    documents(&printed(Command::new("kubectl").arg("kustomize").arg(folder)))
}

/// The one resource of a kind.
pub(crate) fn one<'a>(resources: &'a [Value], kind: &str) -> &'a Value {
    let mut found = resources.iter().filter(|resource| resource["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

/// What is amiss with resources.
pub(crate) fn findings(resources: &[Value]) -> Vec<String> {
    let (operators, own): (Vec<_>, Vec<_>) =
        resources.iter().cloned().partition(|resource| resource["apiVersion"] == OPERATOR);
    let mut findings = of_kubernetes(&own);
    if !operators.is_empty() {
        let mut judge = Command::new("node");
        judge.arg(here("tests/outside/kubernetes/operator/judge.mjs"));
        judge.env("TOOLS", here("target/tools/operator"));
        let said = piped(&mut judge, &Value::from(operators).to_string());
        findings.extend(said.lines().map(str::to_owned));
    }
    findings
}

/// What the schemas of Kubernetes say, which know each key.
fn of_kubernetes(resources: &[Value]) -> Vec<String> {
    let mut stream = tempfile::NamedTempFile::with_suffix(".yaml").expect("a temporary file");
    let text = resources.iter().fold(String::new(), |mut text, resource| {
        write!(text, "---\n{resource}\n").expect("a text takes all");
        text
    });
    stream.write_all(text.as_bytes()).expect("it can be written");
    let mut findings = Vec::new();
    for release in RELEASES {
        let mut judge = Command::new("kubernetes-validate");
        let output = judge.args(["--strict", "-k", release]).arg(stream.path()).output();
        let output = output.expect("tests/run has installed it");
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        // Each resource has a line, and one that it does not know is warned of.
        assert_eq!(said.lines().count(), resources.len(), "{said}");
        findings.extend(said.lines().filter(|line| !line.starts_with("INFO ")).map(str::to_owned));
    }
    findings
}

/// Runs a command that has to succeed on a text, and what it prints.
fn piped(command: &mut Command, text: &str) -> String {
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    running.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let output = running.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command:?}: its complaint is above");
    String::from_utf8(output.stdout).expect("UTF-8")
}
