//! `overlays/postgres`: two replicas that share a database, and the Job that moves a history to it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::manifest::{build, documents, findings, here, one};
use super::readme::blocks;
use super::selects;
use crate::container::sandbox::printed;

fn overlay() -> Vec<Value> {
    build(&here("deploy/kubernetes/overlays/postgres"))
}

fn job() -> Value {
    one(&build(&here("deploy/kubernetes/overlays/postgres/move")), "Job").clone()
}

/// What a container mounts where, and what of the pod that is.
fn mounts(pod: &Value) -> Vec<(&str, &Value)> {
    let volumes = pod["volumes"].as_array().expect("a list");
    let mounted = |mount: &'_ Value| {
        volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("each mount has a volume")
    };
    let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("a list").iter();
    mounts.map(|mount| (mount["mountPath"].as_str().expect("a path"), mounted(mount))).collect()
}

fn mounted<'p>(pod: &'p Value, path: &str) -> &'p Value {
    mounts(pod).into_iter().find(|(at, _)| *at == path).unwrap_or_else(|| panic!("nothing at {path}")).1
}

#[test]
fn one_more_replica_comes_before_one_goes_and_they_keep_apart() {
    let resources = overlay();
    let spec = &one(&resources, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    assert_eq!(spec["strategy"], strategy);
    let labels = &spec["template"]["metadata"]["labels"];
    assert!(selects(&spec["selector"]["matchLabels"], labels));
    let budget = &one(&resources, "PodDisruptionBudget")["spec"];
    assert!(selects(&budget["selector"]["matchLabels"], labels));
    assert_eq!(budget["maxUnavailable"], 1);
    let terms = &spec["template"]["spec"]["affinity"]["podAntiAffinity"];
    let terms = terms["preferredDuringSchedulingIgnoredDuringExecution"].as_array().expect("a list");
    assert!(!terms.is_empty());
    for term in terms {
        assert!(selects(&term["podAffinityTerm"]["labelSelector"]["matchLabels"], labels), "{term}");
    }
}

#[test]
fn the_database_is_named_by_a_secret_that_is_mounted_and_can_be_reached() {
    let resources = overlay();
    let config = one(&resources, "ConfigMap")["data"]["config.yaml"].as_str().expect("a text");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    fs::write(&path, config).expect("it can be written");
    let regwatch = env!("CARGO_BIN_EXE_regwatch");
    printed(Command::new(regwatch).args(["check-config", "--syntax-only"]).arg(&path));
    assert!(config.contains("url_file: /run/secrets/regwatch-database/url\n"), "{config}");
    let pod = &one(&resources, "Deployment")["spec"]["template"]["spec"];
    let secret = &mounted(pod, "/run/secrets/regwatch-database")["secret"];
    assert_eq!(secret["secretName"], "regwatch-database");
    assert!(mounts(pod).iter().all(|(path, _)| *path != "/var/lib/regwatch"), "no volume of its own");
    let egress = one(&resources, "NetworkPolicy")["spec"]["egress"].as_array().expect("a list");
    assert!(egress.contains(&json!({"ports": [{"protocol": "TCP", "port": 5432}]})));
}

#[test]
fn the_job_finds_the_volume_the_configuration_and_the_database() {
    let (base, job, resources) = (build(&here("deploy/kubernetes/base")), job(), overlay());
    let set = one(&base, "StatefulSet");
    let [pod, of_base, of_replicas] = [&job["spec"], &set["spec"], &one(&resources, "Deployment")["spec"]]
        .map(|spec| &spec["template"]["spec"]);
    assert_eq!(pod["securityContext"], of_base["securityContext"]);
    assert_eq!(pod["containers"][0]["securityContext"], of_base["containers"][0]["securityContext"]);
    assert_eq!(pod["containers"][0]["image"], of_base["containers"][0]["image"]);
    let name = |of: &Value| of["metadata"]["name"].as_str().expect("a text").to_owned();
    let claim = format!("{}-{}-0", name(&set["spec"]["volumeClaimTemplates"][0]), name(set));
    assert_eq!(mounted(pod, "/var/lib/regwatch")["persistentVolumeClaim"]["claimName"], *claim);
    for path in ["/etc/regwatch", "/run/secrets/regwatch-database"] {
        assert_eq!(mounted(pod, path), mounted(of_replicas, path), "{path}");
    }
    let args = pod["containers"][0]["args"].as_array().expect("a list").iter();
    let args: Vec<_> = args.map(|word| word.as_str().expect("a text")).collect();
    printed(Command::new(env!("CARGO_BIN_EXE_regwatch")).args(&args).arg("--help"));
    assert!(args.contains(&"--to=/etc/regwatch/config.yaml"));
}

#[test]
fn each_command_of_the_readme_names_what_is_there() {
    let readme =
        fs::read_to_string(here("deploy/kubernetes/overlays/postgres/README.md")).expect("it is there");
    let commands = blocks(&readme, "sh").concat();
    assert_eq!(commands.lines().count(), 8, "{commands}");
    let job = job();
    for line in commands.lines() {
        let words: Vec<_> =
            line.split(' ').skip(1).filter(|word| *word != "-n" && *word != "regwatch").collect();
        if words[0] == "create" {
            let words = line.split(' ').skip(1).chain(["--dry-run=client", "--output=yaml"]);
            let made = documents(&printed(Command::new("kubectl").args(words)));
            assert_eq!(findings(&made), [""; 0], "{line}");
            assert_eq!(made[0]["metadata"]["name"], "regwatch-database");
            assert!(made[0]["data"]["url"].is_string(), "{line}");
            continue;
        }
        assert!(["scale", "wait", "apply", "logs", "delete"].contains(&words[0]), "{line}");
        for (kind, name) in words.iter().filter_map(|word| word.split_once('/')) {
            match kind {
                "statefulset" => assert_eq!(name, "regwatch", "{line}"),
                "pod" => assert_eq!(name, "regwatch-0", "{line}"),
                "job" => assert_eq!(job["metadata"]["name"], *name, "{line}"),
                _ => assert_eq!(format!("{kind}/{name}"), "regwatch/overlays/postgres/move", "{line}"),
            }
        }
    }
}
