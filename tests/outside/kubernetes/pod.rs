//! The pod of the base by hand, as the kubelet would run it: the image's tree, the manifest's command, user and
//! mounts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use regwatch::sim::World;
use serde_json::Value;

use super::manifest::{build, here, one};
use crate::container::sandbox::{Mount, Sandbox, Tree, USER, as_root, printed};
use crate::container::{config, environment, hosts, on_a_free_port, until_well};
use crate::harness::{Aws, hub, member};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A `ConfigMap` or a Secret as the kubelet mounts it: a link for each key into a folder that `..data` is a link
/// to, so that all change at once.
struct Volume {
    folder: PathBuf,
}

impl Volume {
    fn new(folder: PathBuf, key: &str, value: &str) -> Self {
        fs::create_dir(&folder).expect("it can be made");
        let volume = Self { folder };
        volume.update(1, key, value);
        symlink(Path::new("..data").join(key), volume.folder.join(key)).expect("it can be made");
        volume
    }

    fn update(&self, version: u32, key: &str, value: &str) {
        let name = format!("..version_{version}");
        let next = self.folder.join(&name);
        fs::create_dir(&next).expect("it can be made");
        fs::write(next.join(key), value).expect("it can be written");
        symlink(&name, self.folder.join("..data_tmp")).expect("it can be made");
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).expect("it can be renamed");
    }
}

/// The configuration of so many members, and of a webhook whose secret is one of the pod's.
fn configured(members: u64) -> String {
    let webhook =
        "{name: fleet-ops, url: 'https://example.com', secret_file: /run/secrets/regwatch/fleet-ops.secret}";
    format!("{}events: {{webhooks: [{webhook}]}}\n", config(members, "/var/lib/regwatch/regwatch.db"))
}

/// What is mounted where, by the volume's name.
fn mounts<'a>(container: &'a Value, folder: &Path) -> Vec<Mount> {
    let volume_mounts = container["volumeMounts"].as_array().expect("a list");
    let mount = |mount: &'a Value| {
        let [name, path] = ["name", "mountPath"].map(|key| mount[key].as_str().expect("a text"));
        assert_eq!(mount["subPath"], Value::Null, "the kubelet would not bring it up to date");
        match mount["readOnly"].as_bool() {
            Some(true) => Mount::read_only(folder.join(name), path),
            _ => Mount::writable(folder.join(name), path),
        }
    };
    let mut mounts: Vec<_> = volume_mounts.iter().map(mount).collect();
    mounts.push(hosts(folder));
    mounts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pod_gets_ready_follows_its_configmap_and_ends_in_order() {
    let resources = build(&here("deploy/kubernetes/base"));
    let pod = &one(&resources, "StatefulSet")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(pod["securityContext"][key].to_string(), USER, "{key}");
    }
    assert_eq!(container["command"], Value::Null, "what the image starts");
    let args =
        container["args"].as_array().expect("a list").iter().map(|word| word.as_str().expect("a text"));
    let command: Vec<_> = ["/usr/bin/regwatch"].into_iter().chain(args).map(str::to_owned).collect();

    let folder = tempfile::tempdir().expect("a folder");
    let configuration = Volume::new(folder.path().join("config"), "config.yaml", &configured(1));
    let secrets = Volume::new(folder.path().join("secrets"), "fleet-ops.secret", SECRET);
    // What `fsGroup` and `defaultMode` make of volumes: root's, and the group's.
    let store = folder.path().join("store");
    fs::create_dir(&store).expect("it can be made");
    let secret = secrets.folder.join("..data/fleet-ops.secret");
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o440)).expect("it can be changed");
    printed(as_root("chown").arg(format!("0:{USER}")).args([&store, &secret]));
    printed(as_root("chmod").arg("2770").arg(&store));

    let aws = Aws::start(World::new().management(hub()).member(member(1)).member(member(2))).await;
    let tree = Tree::make();
    let mounts = mounts(container, folder.path());
    let sandbox =
        Sandbox { tree: &tree, folder: "/var/lib/regwatch", mounts, environment: environment(&aws) };
    let running = sandbox.start(&on_a_free_port(&command)).await;
    running.assert_confined_to(&["/var/lib/regwatch"]);
    let (client, url) = (reqwest::Client::new(), running.program.url.clone());
    let before = until_well(&client, &url, 1).await;
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().expect("a path");
        let answer = client.get(format!("{url}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{probe}");
    }

    configuration.update(2, "config.yaml", &configured(2));
    let after = until_well(&client, &url, 2).await;
    let started = "process_start_time_seconds";
    assert!(before.value(started).is_some());
    assert_eq!(before.value(started), after.value(started), "it is the same process");

    // As README.md has it; without a shell, the program can be called still.
    let words = ["/usr/bin/regwatch", "events", "--since", "24h", "--url", &url];
    let events = printed(&mut sandbox.command(&words));
    assert!(events.contains("000000000002"), "{events}");

    assert_eq!(running.terminated().await, Some(0));
    let kept = printed(Command::new("ls").arg(&store));
    assert!(kept.lines().all(|name| name.starts_with("regwatch.db")), "{kept}");
    let at_once = sandbox.start(&on_a_free_port(&command)).await;
    let ready = client.get(format!("{}/-/ready", at_once.program.url)).send().await.expect("an answer");
    assert_eq!(ready.status(), 200, "what was known is known");
    assert_eq!(at_once.terminated().await, Some(0));
}
