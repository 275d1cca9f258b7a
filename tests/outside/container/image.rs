//! What `deploy/container/Containerfile` says.

use std::fs;
use std::path::Path;

/// The instructions, each with what follows it, and without comments.
pub(crate) struct Image {
    instructions: Vec<(String, String)>,
}

impl Image {
    pub(crate) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/container/Containerfile");
        let text = fs::read_to_string(path).expect("it is there");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let whole = lines.join("\n").replace("\\\n", " ");
        let instructions = whole.lines().filter_map(|line| line.split_once(' '));
        Self { instructions: instructions.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect() }
    }

    /// The last of a name, which is the one that counts.
    pub(crate) fn last(&self, name: &str) -> &str {
        let last = self.instructions.iter().rfind(|each| each.0 == name);
        last.unwrap_or_else(|| panic!("no {name}")).1.as_str()
    }

    /// What the first stage, which builds, is made of.
    pub(crate) fn builder(&self) -> &str {
        let first = self.instructions.iter().find(|each| each.0 == "FROM");
        first.expect("an image comes from somewhere").1.as_str()
    }

    /// What is started where nothing else is said.
    pub(crate) fn command(&self) -> Vec<String> {
        let words = ["ENTRYPOINT", "CMD"].map(|name| {
            serde_json::from_str::<Vec<String>>(self.last(name)).expect("a list, which needs no shell")
        });
        words.concat()
    }
}
