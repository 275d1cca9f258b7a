//! What the fuzz targets of `tests/fuzz` have reached and found, played again: their properties hold for
//! every input that was kept.

use std::fs;
use std::path::{Path, PathBuf};

use crate::property::{ALL, Property};

/// Where inputs are kept: what reaches much, and what once broke something.
const KEPT: [&str; 2] = ["corpus", "regressions"];

fn folder(kept: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(kept)
}

/// The files or folders of a folder, in order.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

fn replay(name: &str) {
    let (_, property): (_, Property) = *ALL.iter().find(|(known, _)| *known == name).expect("a property");
    let folders = KEPT.map(|kept| folder(kept).join(name)).into_iter().filter(|folder| folder.exists());
    let files: Vec<_> = folders.flat_map(|folder| listed(&folder)).collect();
    assert!(files.len() > 10, "there is hardly a corpus of {name}: {}", files.len());
    for file in files {
        // The last line before a failure names its input.
        println!("{}", file.display());
        property(&fs::read(&file).expect("it can be read"));
    }
}

#[test]
fn configurations_hold() {
    replay("config");
}

#[test]
fn configurations_with_slips_hold() {
    replay("config_tree");
}

#[test]
fn cursors_hold() {
    replay("cursor");
}

#[test]
fn listings_hold() {
    replay("listing");
}

#[test]
fn queries_hold() {
    replay("query");
}

#[test]
fn replies_hold() {
    replay("reply");
}

#[test]
fn web_configurations_hold() {
    replay("web");
}

#[test]
fn web_configurations_with_slips_hold() {
    replay("web_tree");
}

#[test]
fn every_kept_input_is_of_a_target_that_is_built() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("it can be read");
    for (name, _) in ALL {
        assert!(manifest.contains(&format!("\npath = \"targets/{name}.rs\"\n")), "{name} is not built");
    }
    for path in KEPT.into_iter().flat_map(|kept| listed(&folder(kept))) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(ALL.iter().any(|(known, _)| *known == name), "nothing reads {}", path.display());
    }
}
