//! What `deploy/kubernetes/README.md` tells people to do, done as far as it goes without a cluster.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::manifest::{build, documents, findings, here, one};
use crate::container::sandbox::printed;

/// The code blocks of a language, without their indentation.
pub(super) fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != format!("```{language}") {
            continue;
        }
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        let indented = line.len() - line.trim_start().len();
        blocks.push(block.map(|line| format!("{}\n", line.get(indented..).unwrap_or(""))).collect());
    }
    blocks
}

/// A folder as the README has people make it, and what it says.
pub(super) struct Reader {
    folder: TempDir,
    readme: String,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let readme = fs::read_to_string(here("deploy/kubernetes/README.md")).expect("it is there");
        let copied = folder.path().join("regwatch");
        printed(Command::new("cp").arg("-r").arg(here("deploy/kubernetes")).arg(&copied));
        let file =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it can be written");
        let config = fs::read_to_string(copied.join("base/config.yaml")).expect("it is there");
        file("config.yaml", &format!("# Our own.\n{config}"));
        for name in ["fleet-ops.secret", "tls.crt", "tls.key", "ca.crt"] {
            file(name, name);
        }
        for block in blocks(&readme, "yaml") {
            let (name, _) =
                block.strip_prefix("# ").and_then(|block| block.split_once('\n')).expect("its name");
            file(name, &block);
        }
        Self { folder, readme }
    }

    /// One who adds the component for TLS and passwords.
    pub(super) fn behind_a_door() -> Self {
        let reader = Self::new();
        let path = reader.path().join("kustomization.yaml");
        let text = fs::read_to_string(&path).expect("it is there");
        let first = "  - regwatch/components/prometheus-operator\n";
        assert!(text.contains(first));
        let text = text.replace(first, &format!("{first}  - regwatch/components/web-config\n"));
        fs::write(&path, text).expect("it can be written");
        reader
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn regwatch(&self, arguments: &[&str]) -> String {
        let mut regwatch = Command::new(env!("CARGO_BIN_EXE_regwatch"));
        printed(regwatch.current_dir(self.path()).args(arguments))
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        printed(Command::new(program).current_dir(self.path()).args(arguments))
    }
}

#[test]
fn the_overlay_is_taken_and_has_what_it_is_for() {
    let reader = Reader::new();
    let resources = build(reader.path());
    assert_eq!(findings(&resources), [""; 0]);
    for resource in &resources {
        assert_eq!(resource["metadata"]["namespace"], "regwatch", "{resource}");
    }
    let configuration = one(&resources, "ConfigMap");
    assert_eq!(configuration["metadata"]["name"], "regwatch", "without a hash, so that it changes in place");
    assert!(configuration["data"]["config.yaml"].as_str().is_some_and(|text| text.starts_with("# Our own.")));
    let role = &one(&resources, "ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
    assert_eq!(role, "arn:aws:iam::111122223333:role/regwatch-hub");
    let container = &one(&resources, "StatefulSet")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], concat!("registry.example.com/regwatch:", env!("CARGO_PKG_VERSION")));
}

#[test]
fn tls_and_passwords_reach_the_probes_and_prometheus() {
    let reader = Reader::behind_a_door();
    let resources = build(reader.path());
    assert_eq!(findings(&resources), [""; 0]);
    let pod = &one(&resources, "StatefulSet")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["scheme"], "HTTPS", "{probe}");
    }
    let args = container["args"].to_string();
    assert!(args.contains("--web.config.file=/run/secrets/regwatch-web/web-config.yaml"), "{args}");
    assert!(args.contains("--web.open-health"), "{args}");
    let endpoint = &one(&resources, "ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
    reader.regwatch(&[
        "check-config",
        "config.yaml",
        "--syntax-only",
        "--web.config.file",
        "web-config.yaml",
    ]);

    // Each Secret that is asked for is one that the README has people make.
    let commands = blocks(&reader.readme, "sh").concat();
    let sources =
        pod["volumes"].as_array().expect("a list").iter().find(|volume| volume["name"] == "web-config");
    let sources = sources.expect("it is mounted")["projected"]["sources"].as_array().expect("a list");
    let mounted = sources.iter().map(|source| &source["secret"]["name"]);
    let prometheus =
        [&endpoint["tlsConfig"]["ca"]["secret"]["name"], &endpoint["basicAuth"]["password"]["name"]];
    for name in mounted.chain(prometheus) {
        let name = name.as_str().expect("a name");
        assert!(commands.contains(&format!("create secret generic {name} ")), "{name}");
    }
}

#[test]
fn each_command_is_one_that_works() {
    let reader = Reader::new();
    let resources = build(reader.path());
    let commands = blocks(&reader.readme, "sh").concat();
    assert!(commands.lines().count() > 10, "{commands}");
    for line in commands.lines() {
        let words: Vec<_> = line.split(' ').filter(|word| *word != "-n" && *word != "regwatch").collect();
        match words[..] {
            ["check-config", ..] => {
                reader.regwatch(&words);
            }
            ["kubectl", "create", ..] => {
                let words: Vec<_> =
                    line.split(' ').skip(1).chain(["--dry-run=client", "--output=yaml"]).collect();
                assert_eq!(findings(&documents(&reader.run("kubectl", &words))), [""; 0], "{line}");
            }
            ["kubectl", "apply", "-k", "."] => {}
            ["kubectl", "exec", "regwatch-0", "--", "/usr/bin/regwatch", ..] => {
                let (_, own) = line.split_once("/usr/bin/regwatch ").expect("a command");
                reader.regwatch(&[&own.split(' ').collect::<Vec<_>>()[..], &["--help"]].concat());
            }
            ["kubectl", verb, ..] => {
                // What it would do is the cluster's; that there is such a verb, and such a thing, is ours.
                assert!(["label", "rollout", "port-forward", "logs", "scale"].contains(&verb), "{line}");
                reader.run("kubectl", &[verb, "--help"]);
                for (kind, name) in words.iter().filter_map(|word| word.split_once("/")) {
                    let kind =
                        ["StatefulSet", "Service"].into_iter().find(|each| each.eq_ignore_ascii_case(kind));
                    let Some(kind) = kind else { continue };
                    assert_eq!(one(&resources, kind)["metadata"]["name"], name, "{line}");
                }
            }
            ["aws", ..] => {
                // Holds the options against the service's model, and calls nobody.
                let words = line.split(' ').skip(1).chain([
                    "--generate-cli-skeleton",
                    "output",
                    "--region",
                    "us-east-1",
                ]);
                reader.run("aws", &words.collect::<Vec<_>>());
            }
            _ => panic!("nothing is known of: {line}"),
        }
    }
}
