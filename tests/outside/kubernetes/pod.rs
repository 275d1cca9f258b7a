//! The pod of the base by hand, as the kubelet would run it: the image's tree, the manifest's command, user and
//! mounts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use regwatch::sim::World;
use reqwest::{Certificate, Client};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use super::manifest::{build, here, one};
use super::readme::Reader;
use crate::container::sandbox::{Mount, Sandbox, Tree, USER, as_root, printed};
use crate::container::{config, environment, hosts, on_a_free_port, until_well};
use crate::harness::{Aws, hub, member};
use crate::pki::Authority;

/// How long it may take to get ready; on a busy machine everything takes long.
const PATIENCE: Duration = Duration::from_secs(60);

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
        volume.link(key);
        volume
    }

    /// A further key, from the start.
    fn add(&self, key: &str, value: &str) {
        fs::write(self.folder.join("..data").join(key), value).expect("it can be written");
        self.link(key);
    }

    fn link(&self, key: &str) {
        symlink(Path::new("..data").join(key), self.folder.join(key)).expect("it can be made");
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

/// A pod before it is started: what its resources say, and the volumes that it will have.
struct Pod {
    container: Value,
    folder: TempDir,
    tree: Tree,
}

impl Pod {
    /// The one of the resources, with a configuration, a webhook's secret and an empty store.
    fn new(resources: &[Value]) -> Self {
        let spec = &one(resources, "StatefulSet")["spec"]["template"]["spec"];
        for key in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(spec["securityContext"][key].to_string(), USER, "{key}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let pod = Self { container: spec["containers"][0].clone(), folder, tree: Tree::make() };
        pod.volume("config", "config.yaml", &configured(1));
        pod.volume("secrets", "fleet-ops.secret", SECRET);
        let store = pod.path("store");
        fs::create_dir(&store).expect("it can be made");
        // What `fsGroup` makes of a disk.
        printed(as_root("chown").arg(format!("0:{USER}")).arg(&store));
        printed(as_root("chmod").arg("2770").arg(&store));
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Fills a volume, whose files are the group's, as `fsGroup` and `defaultMode` have it.
    fn volume(&self, name: &str, key: &str, value: &str) -> Volume {
        let volume = Volume::new(self.path(name), key, value);
        let file = volume.folder.join("..data").join(key);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o440)).expect("it can be changed");
        printed(as_root("chown").arg(format!("0:{USER}")).arg(file));
        volume
    }

    fn sandbox(&self, aws: &Aws) -> Sandbox<'_> {
        let mount = |mount: &Value| {
            let [name, path] = ["name", "mountPath"].map(|key| mount[key].as_str().expect("a text"));
            assert_eq!(mount["subPath"], Value::Null, "the kubelet would not bring it up to date");
            match mount["readOnly"].as_bool() {
                Some(true) => Mount::read_only(self.path(name), path),
                _ => Mount::writable(self.path(name), path),
            }
        };
        let mut mounts: Vec<_> =
            self.container["volumeMounts"].as_array().expect("a list").iter().map(mount).collect();
        mounts.push(hosts(self.folder.path()));
        Sandbox { tree: &self.tree, folder: "/var/lib/regwatch", mounts, environment: environment(aws) }
    }

    /// What it runs: the image's program with arguments of its own.
    fn command(&self) -> Vec<String> {
        assert_eq!(self.container["command"], Value::Null);
        let args = self.container["args"].as_array().expect("a list").iter();
        let args = args.map(|word| word.as_str().expect("a text"));
        let words: Vec<_> = ["/usr/bin/regwatch"].into_iter().chain(args).map(str::to_owned).collect();
        on_a_free_port(&words)
    }

    /// Asks what the kubelet asks, without a password, until all is well; it may not be ready yet, and
    /// nothing else.
    async fn until_probes_succeed(&self, client: &Client, url: &str) {
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let path = self.container[probe]["httpGet"]["path"].as_str().expect("a path");
            let began = Instant::now();
            loop {
                let answer = client.get(format!("{url}{path}")).send().await.expect("an answer");
                if answer.status() == 200 {
                    break;
                }
                assert!(answer.status() == 503 && began.elapsed() < PATIENCE, "{probe}: {answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pod_gets_ready_follows_its_configmap_and_ends_in_order() {
    let pod = Pod::new(&build(&here("deploy/kubernetes/base")));
    let aws = Aws::start(World::new().management(hub()).member(member(1)).member(member(2))).await;
    let sandbox = pod.sandbox(&aws);
    let running = sandbox.start(&pod.command()).await;
    running.assert_confined_to(&["/var/lib/regwatch"]);
    let (client, url) = (Client::new(), running.program.url.clone());
    let before = until_well(&client, &url, 1).await;
    pod.until_probes_succeed(&client, &url).await;

    Volume { folder: pod.path("config") }.update(2, "config.yaml", &configured(2));
    let after = until_well(&client, &url, 2).await;
    let started = "process_start_time_seconds";
    assert!(before.value(started).is_some());
    assert_eq!(before.value(started), after.value(started), "it is the same process");

    // As README.md has it; without a shell, the program can be called still.
    let words = ["/usr/bin/regwatch", "events", "--since", "24h", "--url", &url];
    let events = printed(&mut sandbox.command(&words));
    assert!(events.contains("000000000002"), "{events}");

    assert_eq!(running.terminated().await, Some(0));
    let kept = printed(as_root("ls").arg(pod.path("store")));
    assert!(kept.lines().any(|name| name == "regwatch.db"), "{kept}");
    assert!(kept.lines().all(|name| name.starts_with("regwatch.db")), "{kept}");
    let at_once = sandbox.start(&pod.command()).await;
    let ready = client.get(format!("{}/-/ready", at_once.program.url)).send().await.expect("an answer");
    assert_eq!(ready.status(), 200, "what was known is known");
    assert_eq!(at_once.terminated().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_door_the_kubelet_gets_in_and_prometheus_shows_its_password() {
    let reader = Reader::behind_a_door();
    let pod = Pod::new(&build(reader.path()));
    let authority = Authority::new("cert-manager");
    let pair = authority.server();
    let web_config = fs::read_to_string(reader.path().join("web-config.yaml")).expect("the README has it");
    let projected = pod.volume("web-config", "web-config.yaml", &web_config);
    for (key, value) in [("tls.crt", &pair.cert), ("tls.key", &pair.key)] {
        projected.add(key, value);
    }
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let sandbox = pod.sandbox(&aws);
    let running = sandbox.start(&pod.command()).await;
    running.assert_confined_to(&["/var/lib/regwatch"]);
    let root = Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
    let client = Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    let url = running.program.url.replace("http:", "https:");
    pod.until_probes_succeed(&client, &url).await;
    let metrics = || client.get(format!("{url}/metrics"));
    assert_eq!(metrics().send().await.expect("an answer").status(), 401);
    // What the README has people put into the Secret that the ServiceMonitor names.
    let known = metrics().basic_auth("prometheus", Some("change-me"));
    assert_eq!(known.send().await.expect("an answer").status(), 200);
    assert_eq!(running.terminated().await, Some(0));
}
