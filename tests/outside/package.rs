//! The Debian package: what is in it, and what Debian's own judge says of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What it installs, but for folders.
const FILES: [&str; 16] = [
    "-rwxr-xr-x ./usr/bin/regwatch",
    "-rw-r--r-- ./usr/lib/systemd/system/regwatch.service",
    "-rw-r--r-- ./usr/share/bash-completion/completions/regwatch",
    "-rw-r--r-- ./usr/share/doc/regwatch/changelog.Debian.gz",
    "-rw-r--r-- ./usr/share/doc/regwatch/copyright",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/config.example.yaml",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/web-config.example.yaml",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/webhook/README.md",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/webhook/alertmanager.json.j2",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/webhook/pagerduty.json.j2",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/webhook/slack.json.j2",
    "-rw-r--r-- ./usr/share/doc/regwatch/examples/webhook/teams.json.j2",
    "-rw-r--r-- ./usr/share/doc/regwatch/systemd.md",
    "-rw-r--r-- ./usr/share/fish/vendor_completions.d/regwatch.fish",
    "-rw-r--r-- ./usr/share/man/man1/regwatch.1.gz",
    "-rw-r--r-- ./usr/share/zsh/vendor-completions/_regwatch",
];

/// The package of the program under test. It is made once, of the debug build.
pub(crate) fn package() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = said(Command::new(root().join("deploy/systemd/package")).arg(folder.path()).args([
            env!("CARGO_BIN_EXE_regwatch"),
            "--",
            "--fast",
        ]));
        let path = made.lines().last().map(PathBuf::from).expect("it says where it is");
        (folder, path)
    });
    path
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program that has to succeed writes.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out.into_owned()
}

#[test]
fn it_installs_what_belongs_to_a_service_and_nothing_else() {
    let contents = said(Command::new("dpkg-deb").arg("--contents").arg(package()));
    let files = contents.lines().filter(|line| !line.ends_with('/'));
    let files = files.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1], "0/0", "it belongs to root: {line}");
        format!("{} {}", words[0], words[words.len() - 1])
    });
    let mut files: Vec<_> = files.collect();
    files.sort_unstable_by_key(|file| file.split(' ').nth(1).map(str::to_owned));
    assert_eq!(files, FILES);
}

#[test]
fn it_has_what_the_program_prints_and_the_files_of_the_repository() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    said(Command::new("dpkg-deb").arg("--extract").arg(package()).arg(folder.path()));
    let read = |path: &str| std::fs::read(folder.path().join(path)).expect("it is installed");
    let unpacked = |path: &str| said(Command::new("gzip").args(["-dc"]).arg(folder.path().join(path)));
    let printed = |arguments: &[&str]| said(Command::new(env!("CARGO_BIN_EXE_regwatch")).args(arguments));

    let version = said(Command::new(folder.path().join("usr/bin/regwatch")).arg("--version"));
    assert_eq!(version, printed(&["--version"]));
    assert_eq!(unpacked("usr/share/man/man1/regwatch.1.gz"), printed(&["man"]));
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/regwatch"),
        ("zsh", "usr/share/zsh/vendor-completions/_regwatch"),
        ("fish", "usr/share/fish/vendor_completions.d/regwatch.fish"),
    ] {
        assert_eq!(read(path), printed(&["completions", shell]).into_bytes(), "{shell}");
    }
    for (path, source) in [
        ("usr/lib/systemd/system/regwatch.service", "deploy/systemd/regwatch.service"),
        ("usr/share/doc/regwatch/systemd.md", "deploy/systemd/README.md"),
        ("usr/share/doc/regwatch/examples/config.example.yaml", "config.example.yaml"),
        ("usr/share/doc/regwatch/examples/web-config.example.yaml", "deploy/web-config.example.yaml"),
    ] {
        assert_eq!(read(path), std::fs::read(root().join(source)).expect("it is there"), "{path}");
    }
}

#[test]
fn it_says_what_it_needs_and_starts_nothing() {
    let field = |name: &str| said(Command::new("dpkg-deb").arg("--field").arg(package()).arg(name));
    assert_eq!(field("Package"), "regwatch\n");
    assert_eq!(field("Version"), concat!(env!("CARGO_PKG_VERSION"), "-1\n"));
    assert!(field("Depends").starts_with("libc6 (>= "), "{}", field("Depends"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    said(Command::new("dpkg-deb").arg("--control").arg(package()).arg(folder.path()));
    let script = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("it has one");
    let installs = script("postinst");
    assert!(installs.contains("try-restart regwatch.service"), "{installs}");
    assert!(!installs.contains("=start"), "it has nothing to watch yet:\n{installs}");
    assert!(script("prerm").contains("stop regwatch.service"));
}

#[test]
fn lintian_finds_no_error() {
    said(Command::new("lintian").args(["--allow-root", "--fail-on", "error"]).arg(package()));
}
