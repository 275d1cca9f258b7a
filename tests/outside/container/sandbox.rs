//! The image's root filesystem, and the program in it as a container engine would run it: as the first
//! process, as who the image says, without privileges or a way to get any, on a root that is mounted
//! read-only.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::Program;

/// Who the image runs as.
pub(crate) const USER: &str = "65532";

/// Mounts what the arguments say (a source, a path and `ro` or `rw` each, up to `--`), exports variables up
/// to the next `--`, and runs the rest.
const CONTAIN: &str = r#"
    root=$1 folder=$2 user=$3
    shift 3
    mount --bind "$root" "$root"
    mkdir -p "$root/proc"
    mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
    while [ "$1" != -- ]; do
        if [ -d "$1" ]; then mkdir -p "$root$2"; else touch "$root$2"; fi
        mount --bind "$1" "$root$2"
        mount -o "remount,bind,nosuid,nodev,$3" "$root$2"
        shift 3
    done
    shift
    mount -o remount,bind,ro "$root"
    while [ "$1" != -- ]; do export "$1"; shift; done
    shift
    exec setpriv --no-new-privs unshare --root="$root" --wd="$folder" --setgid="$user" --setuid="$user" "$@"
"#;

/// A program that runs as root: mounts, and who owns a file, take it.
pub(crate) fn as_root(program: impl AsRef<Path>) -> Command {
    let own = fs::metadata("/proc/self").expect("Linux").uid();
    let mut command = Command::new(if own == 0 { program.as_ref() } else { Path::new("sudo") });
    if own != 0 {
        command.arg("--non-interactive").arg(program.as_ref());
    }
    command
}

/// Runs a command that has to succeed, and what it prints.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The root filesystem that the image has, with the program that was built for the tests.
pub(crate) struct Tree {
    folder: TempDir,
}

impl Tree {
    pub(crate) fn make() -> Self {
        let tree = Self { folder: tempfile::tempdir().expect("a folder") };
        let rootfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/container/rootfs");
        printed(as_root(rootfs).arg(env!("CARGO_BIN_EXE_regwatch")).arg(tree.path()));
        tree
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Mode, owner, group and path of all that is in it, sorted by path.
    pub(crate) fn list(&self) -> Vec<String> {
        let found = printed(as_root("find").arg(self.path()).args(["-printf", r"%M %U %G /%P\n"]));
        let mut found: Vec<_> = found.lines().map(str::to_owned).collect();
        found.sort_by_key(|line| line.split_once('/').map(|(_, path)| path.to_owned()));
        found
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What root made, only root takes away.
        let _ = as_root("rm").arg("-rf").arg(self.path()).status();
    }
}

/// Something of the machine that is seen in the sandbox.
pub(crate) struct Mount {
    from: PathBuf,
    at: String,
    access: &'static str,
}

impl Mount {
    pub(crate) fn read_only(from: impl Into<PathBuf>, at: &str) -> Self {
        Self { from: from.into(), at: at.to_owned(), access: "ro" }
    }

    pub(crate) fn writable(from: impl Into<PathBuf>, at: &str) -> Self {
        Self { from: from.into(), at: at.to_owned(), access: "rw" }
    }
}

/// A tree, and what an engine adds to it. The network is the machine's.
pub(crate) struct Sandbox<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) folder: &'a str,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) environment: Vec<String>,
}

impl Sandbox<'_> {
    /// A command in it. Its process is the first of its own kind.
    pub(crate) fn command<S: AsRef<str>>(&self, words: &[S]) -> Command {
        let mut command = as_root("unshare");
        command.env_clear().args(["--mount", "--pid", "--fork", "--", "sh", "-euc", CONTAIN, "sh"]);
        command.arg(self.tree.path()).args([self.folder, USER]);
        for mount in &self.mounts {
            command.arg(&mount.from).args([&mount.at, mount.access]);
        }
        command.arg("--").args(&self.environment).arg("--").args(words.iter().map(AsRef::as_ref));
        command
    }

    /// Starts a command that serves HTTP on a port of its own choice.
    pub(crate) async fn start<S: AsRef<str>>(&self, words: &[S]) -> Contained {
        Contained { program: Program::start(&mut self.command(words), "listening for HTTP").await }
    }
}

/// regwatch at work in a sandbox.
pub(crate) struct Contained {
    pub(crate) program: Program,
}

impl Contained {
    /// The process itself, as it is known outside: at the end of the line of those that led to it.
    pub(crate) fn id(&self) -> u32 {
        let mut id = self.program.id();
        let child = |id: u32| {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
            children.split(' ').next()?.parse().ok()
        };
        while let Some(next) = child(id) {
            id = next;
        }
        id
    }

    /// Asserts that it is nobody, has no privileges, and may write where it is told to and nowhere else.
    pub(crate) fn assert_confined_to(&self, writable: &[&str]) {
        let about = |what| printed(as_root("cat").arg(format!("/proc/{}/{what}", self.id())));
        let status = about("status");
        for (name, wanted) in [
            ("Uid", [USER; 4].join("\t")),
            ("Gid", [USER; 4].join("\t")),
            ("CapPrm", "0".repeat(16)),
            ("CapEff", "0".repeat(16)),
            ("CapAmb", "0".repeat(16)),
            ("NoNewPrivs", "1".to_owned()),
        ] {
            let line = format!("{name}:\t{wanted}");
            assert!(status.lines().any(|each| each.trim_end() == line), "no {line:?} in\n{status}");
        }
        // The fifth field is where something is mounted, the sixth how.
        let mounts = about("mountinfo");
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let (closed, open): (Vec<_>, Vec<_>) =
            fields.partition(|field| field[5].split(',').any(|option| option == "ro"));
        assert_eq!(open.iter().map(|field| field[4]).collect::<Vec<_>>(), writable, "{mounts}");
        assert!(closed.iter().any(|field| field[4] == "/"), "{mounts}");
    }

    /// What a container engine does first when it stops one; waits for the end and tells how it was.
    pub(crate) async fn terminated(mut self) -> Option<i32> {
        printed(as_root("kill").args(["-s", "TERM", &self.id().to_string()]));
        self.program.ended().await.code()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        // The end of a first process is that of all that led to it.
        if !self.program.has_ended() {
            let _ = as_root("kill").args(["-s", "KILL", &self.id().to_string()]).status();
        }
    }
}
