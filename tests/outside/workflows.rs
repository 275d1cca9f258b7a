//! The workflows of GitHub before the schema that it publishes for them.

use std::path::Path;
use std::process::Command;

#[test]
fn github_would_take_each() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let files: Vec<_> = std::fs::read_dir(folder)
        .expect("it can be listed")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(!files.is_empty());
    let output = Command::new("check-jsonschema")
        .args(["--builtin-schema", "vendor.github-workflows"])
        .args(files)
        .output()
        .expect("tests/run has installed it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
