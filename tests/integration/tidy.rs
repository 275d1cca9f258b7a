//! The layout of the sources, held by a test: who may import whom, and who may touch the outside.
//!
//! The compiler lets any module use any other. What keeps this crate readable is that it does not: each
//! file can be read knowing only what lies below it. A rule that has to change changes in [`layout`], on
//! purpose.

mod layout;
mod reader;
mod source;
mod token;

use std::fs;
use std::path::Path;

use source::Source;

/// The Rust files below a folder of the sources, by their path from it.
fn read(folder: &Path, below: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("the sources can be listed") {
        let entry = entry.expect("the sources can be listed");
        let name = format!("{below}{}", entry.file_name().to_str().expect("names of sources are UTF-8"));
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source can be read");
            sources.push(Source::read(&name, &text));
        }
    }
}

#[test]
fn the_sources_keep_to_their_rooms() {
    let mut sources = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    let breaches: Vec<_> = layout::homeless(&sources).chain(layout::breaches(&sources)).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn the_top_of_the_repository_holds_what_the_user_wants_there() {
    let top = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the repository can be listed");
    let names: Vec<_> = top
        .map(|entry| entry.expect("the repository can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    let strays = layout::strays(names.iter().map(String::as_str));
    assert!(strays.is_empty(), "not at the top, but below src, tests or deploy, or as a dotfile: {strays:?}");
}
