//! A source file: where it stands, and what it names.

use super::reader::{self, Found};

/// A source file of the library or the binary.
#[derive(Debug)]
pub(super) struct Source {
    /// Its path below `src`.
    pub(super) file: String,
    /// What it names.
    pub(super) found: Found,
}

impl Source {
    pub(super) fn read(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), found: reader::read(module(file), text) }
    }

    /// The module that the file is, from the root of the crate.
    pub(super) fn module(&self) -> Vec<String> {
        module(&self.file)
    }

    /// The room that the file belongs to; `lib` is in none.
    pub(super) fn room(&self) -> &str {
        let first = self.file.split('/').next().expect("split yields at least one part");
        first.trim_end_matches(".rs")
    }
}

fn module(file: &str) -> Vec<String> {
    match file.trim_end_matches(".rs") {
        "lib" | "main" => Vec::new(),
        module => module.split('/').map(str::to_owned).collect(),
    }
}
