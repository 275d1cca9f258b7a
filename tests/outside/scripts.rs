//! The shell scripts before `shellcheck`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files below a folder that begin with the name of a shell.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scripts(&path, found);
        } else if fs::read(&path).is_ok_and(|text| {
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            first.starts_with(b"#!") && first.ends_with(b"sh")
        }) {
            found.push(path);
        }
    }
}

#[test]
fn nothing_is_to_be_said_of_a_script() {
    let mut found = Vec::new();
    for folder in ["deploy", "tests", ".ci"] {
        scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    for expected in ["deploy/container/rootfs", "tests/run"] {
        assert!(found.iter().any(|path| path.ends_with(expected)), "{found:?}");
    }
    let output = Command::new("shellcheck").args(&found).output().expect("tests/run has installed it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
