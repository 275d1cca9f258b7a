//! The shell scripts before `shellcheck`, and the Python ones before Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files below a folder that are so.
fn files(folder: &Path, is_so: fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, is_so, found);
        } else if is_so(&path) {
            found.push(path);
        }
    }
}

/// Whether a file begins with the name of a shell.
fn is_shell(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| {
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        first.starts_with(b"#!") && first.ends_with(b"sh")
    })
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

fn all(is_so: fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["deploy", "tests", ".ci"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), is_so, &mut found);
    }
    found
}

#[test]
fn nothing_is_to_be_said_of_a_script() {
    let found = all(is_shell);
    for expected in ["deploy/container/rootfs", "tests/run"] {
        assert!(found.iter().any(|path| path.ends_with(expected)), "{found:?}");
    }
    let output = Command::new("shellcheck").args(&found).output().expect("tests/run has installed it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Those that nobody runs here, such as what is measured against, are at least Python.
#[test]
fn python_compiles_every_script() {
    let found = all(is_python);
    assert!(found.iter().any(|path| path.ends_with("tests/bench/exporter.py")), "{found:?}");
    let compile = "import sys
for path in sys.argv[1:]:
    compile(open(path, encoding='utf-8').read(), path, 'exec')";
    let output = Command::new("python3").args(["-c", compile]).args(&found).output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
