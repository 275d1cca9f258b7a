//! The container image without a container engine: what its root filesystem holds, and the program in it.

mod image;
pub(crate) mod sandbox;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regwatch::sim::World;
use serde_json::Value;

use crate::harness::{Aws, KEY, hub, identities, member};
use crate::page::Page;
use image::Image;
use sandbox::{Mount, Sandbox, Tree, USER, as_root, printed};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The name under which a simulated AWS is found in a sandbox: by way of the image's own resolver.
const AWS_NAME: &str = "aws.test";

/// What an engine gives a container, and what leads it to a simulated AWS.
pub(crate) fn environment(aws: &Aws) -> Vec<String> {
    let endpoint = aws.url.replace("127.0.0.1", AWS_NAME);
    assert_ne!(endpoint, aws.url);
    let own = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", KEY.0),
        ("AWS_SECRET_ACCESS_KEY", KEY.1),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    own.map(|(name, value)| format!("{name}={value}")).to_vec()
}

/// The `/etc/hosts` that an engine makes for a container.
pub(crate) fn hosts(folder: &Path) -> Mount {
    let path = folder.join("hosts");
    fs::write(&path, format!("127.0.0.1 localhost {AWS_NAME}\n")).expect("it can be written");
    Mount::read_only(path, "/etc/hosts")
}

/// So many members that are polled each second, and a store at a path.
pub(crate) fn config(members: u64, store: &str) -> String {
    let mut yaml = format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms, stale_after: 60s}}
store: {{path: {store}}}
{}accounts:\n",
        identities()
    );
    for number in 1..=members {
        yaml +=
            &format!("  - {{id: '{number:012}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n");
    }
    yaml
}

/// A command of the image or of its pod, to listen where there is room.
pub(crate) fn on_a_free_port(words: &[String]) -> Vec<String> {
    let listens = |word: &&String| word.starts_with("--web.listen-address=");
    assert_eq!(words.iter().filter(listens).count(), 1, "{words:?}");
    words.iter().map(|word| word.replace("listen-address=:9847", "listen-address=127.0.0.1:0")).collect()
}

/// Waits until so many targets have answered.
pub(crate) async fn until_well(client: &reqwest::Client, url: &str, targets: usize) -> Page {
    let described = format!("{targets} targets answer");
    let well = |page: &Page| {
        page.count("regwatch_target_up") == targets && page.sum("regwatch_target_up") == targets as f64
    };
    Page::until(client, url, &described, well).await
}

/// What a command says that fails with a status.
fn refusal(command: &mut Command, status: i32) -> String {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    said
}

#[test]
fn the_tree_holds_the_program_what_it_needs_and_nothing_else() {
    let tree = Tree::make();
    let libraries = printed(Command::new("ldd").arg(env!("CARGO_BIN_EXE_regwatch")));
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    let mut files: BTreeSet<PathBuf> = libraries.map(PathBuf::from).collect();
    assert!(!files.is_empty());
    files.insert("/usr/bin/regwatch".into());
    let mut expected: BTreeSet<String> =
        files.iter().map(|path| format!("-rwxr-xr-x 0 0 {}", path.display())).collect();
    let texts = ["/etc/group", "/etc/nsswitch.conf", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt"];
    expected.extend(texts.map(|path| format!("-rw-r--r-- 0 0 {path}")));
    files.extend(texts.map(PathBuf::from));
    files.extend(["/etc/regwatch/x", "/var/lib/x"].map(PathBuf::from));
    let folders = files.iter().flat_map(|path| path.ancestors().skip(1));
    expected.extend(folders.map(|path| format!("drwxr-xr-x 0 0 {}", path.display())));
    expected.insert(format!("drwx------ {USER} {USER} /var/lib/regwatch"));
    assert_eq!(BTreeSet::from_iter(tree.list()), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_runs_as_nobody_and_writes_to_its_store_alone() {
    let (tree, image) = (Tree::make(), Image::read());
    assert_eq!(image.last("USER"), format!("{USER}:{USER}"));
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("config.yaml"), config(1, "regwatch.db")).expect("it can be written");
    // As an engine makes a new volume: with the mode and the owner of what the image has there.
    fs::create_dir(path("store")).expect("it can be made");
    printed(as_root("chown").arg("--reference").arg(tree.path().join("var/lib/regwatch")).arg(path("store")));
    printed(as_root("chmod").arg("--reference").arg(tree.path().join("var/lib/regwatch")).arg(path("store")));
    let mut sandbox = Sandbox {
        tree: &tree,
        folder: image.last("WORKDIR"),
        mounts: vec![
            hosts(folder.path()),
            Mount::read_only(path("config.yaml"), "/etc/regwatch/config.yaml"),
            Mount::writable(path("store"), "/var/lib/regwatch"),
        ],
        environment: environment(&aws),
    };
    let command = image.command();
    assert!(command.contains(&format!("--web.listen-address=:{}", image.last("EXPOSE"))));
    let command = on_a_free_port(&command);
    let running = sandbox.start(&command).await;
    running.assert_confined_to(&["/var/lib/regwatch"]);
    let client = reqwest::Client::new();
    until_well(&client, &running.program.url, 1).await;
    let ready = client.get(format!("{}/-/ready", running.program.url)).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    assert_eq!(running.terminated().await, Some(0));
    let kept = printed(as_root("find").arg(path("store")).args(["-type", "f", "-printf", r"%U %f\n"]));
    assert!(kept.lines().any(|line| line == format!("{USER} regwatch.db")), "{kept}");

    // Neither a shell, nor a place for a store but the one.
    let shell = refusal(&mut sandbox.command(&["/bin/sh", "-c", "true"]), 127);
    assert!(shell.contains("No such file or directory"), "{shell}");
    for elsewhere in ["/etc/regwatch/regwatch.db", "/usr/bin/regwatch.db", "/regwatch.db"] {
        fs::write(path("config.yaml"), config(1, elsewhere)).expect("it can be written");
        let said = refusal(&mut sandbox.command(&command), 1);
        assert!(said.contains("Read-only file system"), "{said}");
    }
    // Without a volume there is no place at all.
    sandbox.mounts.pop();
    fs::write(path("config.yaml"), config(1, "regwatch.db")).expect("it can be written");
    refusal(&mut sandbox.command(&command), 1);
}

#[test]
fn it_trusts_the_authorities_that_the_image_brings() {
    let tree = Tree::make();
    let folder = tempfile::tempdir().expect("a folder");
    let yaml = format!(
        "{}events: {{webhooks: [{{name: x, url: 'https://example.com'}}]}}\n",
        config(1, "regwatch.db")
    );
    fs::write(folder.path().join("config.yaml"), yaml).expect("it can be written");
    let mounts = vec![Mount::read_only(folder.path().join("config.yaml"), "/etc/regwatch/config.yaml")];
    let sandbox = Sandbox { tree: &tree, folder: "/", mounts, environment: Vec::new() };
    let check = || sandbox.command(&["/usr/bin/regwatch", "check-config", "/etc/regwatch/config.yaml"]);
    printed(&mut check());
    printed(as_root("rm").arg(tree.path().join("etc/ssl/certs/ca-certificates.crt")));
    let said = refusal(&mut check(), 78);
    assert!(said.contains("HTTPS cannot be had"), "{said}");
}

#[test]
fn the_containerfile_is_sound_and_says_what_cargo_says() {
    let hadolint = Command::new("hadolint")
        .current_dir(REPOSITORY)
        .args(["--failure-threshold", "style", "deploy/container/Containerfile"])
        .output();
    let hadolint = hadolint.expect("tests/run has installed it");
    assert!(hadolint.status.success(), "{}", String::from_utf8_lossy(&hadolint.stdout));
    let image = Image::read();
    let readme =
        fs::read_to_string(Path::new(REPOSITORY).join("deploy/container/README.md")).expect("it is there");
    assert!(readme.contains(&format!(
        "--file deploy/container/Containerfile --tag regwatch:{} .",
        env!("CARGO_PKG_VERSION")
    )));
    let label = format!(r#"image.version="{}""#, env!("CARGO_PKG_VERSION"));
    assert!(image.last("LABEL").contains(&label));
    assert!(image.last("RUN").contains("--locked --profile dist"));
    assert!(image.last("RUN").ends_with("deploy/container/rootfs target/dist/regwatch /rootfs"));
    let number = |version: &str| {
        version.split('.').map(|part| part.parse::<u32>().expect("a number")).collect::<Vec<_>>()
    };
    let from = image.builder();
    let rust = from.split_once("rust:").and_then(|(_, tag)| tag.split_once('-')).expect("a tag").0;
    assert!(number(rust) >= number(env!("CARGO_PKG_RUST_VERSION")), "{from}");
}

/// What the builder hands over of a path, by the lines of its ignore file that begin with `!`.
fn is_handed_over(path: &Path, lines: &str) -> bool {
    let matches = |pattern: &str| {
        let mut parts = path.iter().map(|part| part.to_string_lossy());
        pattern.split('/').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
    };
    lines.lines().filter_map(|line| line.strip_prefix('!')).any(matches)
}

/// The files that the library was last made of, as the compiler noted them for cargo.
fn read_by_the_compiler() -> Vec<PathBuf> {
    let built = Path::new(env!("CARGO_BIN_EXE_regwatch")).with_file_name("deps");
    let notes = fs::read_dir(built).expect("it can be listed").map(|entry| entry.expect("an entry").path());
    let is_own = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with("regwatch-") && name.ends_with(".d")
    };
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).expect("a file");
    let library = |path: PathBuf| {
        let rules = fs::read_to_string(path).expect("it can be read");
        let (_, read) = rules.lines().find_map(|line| line.split_once(".rlib: "))?;
        Some(read.split(' ').map(PathBuf::from).collect::<Vec<_>>())
    };
    let mut notes: Vec<_> = notes.filter(is_own).collect();
    notes.sort_by_key(modified);
    notes.into_iter().rev().find_map(library).expect("the library was built for this test")
}

#[test]
fn the_builder_is_handed_all_that_the_build_reads() {
    let ignore = Path::new(REPOSITORY).join("deploy/container/Containerfile.dockerignore");
    let lines = fs::read_to_string(ignore).expect("it is there");
    assert!(lines.lines().any(|line| line == "*"), "nothing is left out");
    // What the compiler read to make the library, and what cargo wants to be there.
    let mut wanted = read_by_the_compiler();
    assert!(wanted.len() > 100, "{wanted:?}");
    let metadata = printed(Command::new(env!("CARGO")).current_dir(REPOSITORY).args([
        "metadata",
        "--no-deps",
        "--offline",
        "--locked",
        "--format-version",
        "1",
    ]));
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let targets = metadata["packages"][0]["targets"].as_array().expect("a list");
    wanted.extend(targets.iter().map(|target| PathBuf::from(target["src_path"].as_str().expect("a path"))));
    wanted.extend(
        ["Cargo.toml", "Cargo.lock", "deploy/container/rootfs"].map(|name| Path::new(REPOSITORY).join(name)),
    );
    for path in wanted {
        let path = path.strip_prefix(REPOSITORY).unwrap_or(&path);
        assert!(is_handed_over(path, &lines), "{} is not", path.display());
    }
    assert!(!is_handed_over(Path::new("target/debug/regwatch"), &lines));
}
