//! What a path depends on: every entry of a folder that decides which file it leads to.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows: `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// The folders that hold the symbolic links along a path, and the one that holds the file at its end. A
/// change of what the path leads to, by whatever means, is a change of an entry in one of them, unless
/// somebody moves a whole folder away.
///
/// Where Kubernetes mounts a `ConfigMap`, `config.yaml` is a link to `..data/config.yaml`, and `..data` one to
/// a folder that bears the time of the last update; an update makes a new folder and renames a new `..data`
/// over the old.
pub(super) async fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut links = 0;
    let mut at = if path.is_absolute() { PathBuf::from("/") } else { PathBuf::from(".") };
    let mut ahead: VecDeque<OsString> = steps(path).collect();
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            // No link is left in what is behind, so this is the folder above, also where it begins.
            at.push(step);
            continue;
        }
        let next = at.join(&step);
        match tokio::fs::read_link(&next).await {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                folders.insert(at.clone());
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                ahead = steps(&target).chain(ahead).collect();
            }
            // No link, or nothing at all: yet.
            _ if ahead.is_empty() => drop(folders.insert(at.clone())),
            _ => at = next,
        }
    }
    folders
}

fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn found(root: &Path, path: &str) -> Vec<String> {
        let folders = folders(&root.join(path)).await;
        let within = folders.iter().map(|folder| folder.strip_prefix(root).unwrap_or(folder));
        within.map(|folder| folder.display().to_string()).collect()
    }

    #[tokio::test]
    async fn every_folder_that_decides_is_found() {
        let root = tempfile::tempdir().unwrap();
        // The folder for temporary files may itself be behind a link.
        let root = root.path().canonicalize().unwrap();
        let make = |folder: &str| std::fs::create_dir_all(root.join(folder)).unwrap();
        let link = |target: &str, at: &str| symlink(target, root.join(at)).unwrap();

        make("plain");
        assert_eq!(found(&root, "plain/config.yaml").await, ["plain"], "there or not");

        make("mount/..2026_1");
        std::fs::write(root.join("mount/..2026_1/config.yaml"), "").unwrap();
        link("..2026_1", "mount/..data");
        link("..data/config.yaml", "mount/config.yaml");
        assert_eq!(found(&root, "mount/config.yaml").await, ["mount", "mount/..2026_1"]);

        make("far/away");
        link("../far/away", "plain/sideways");
        link(root.join("mount/config.yaml").to_str().unwrap(), "far/away/absolute");
        let expected = ["far/away", "mount", "mount/..2026_1", "plain"];
        let path = "plain/sideways/absolute";
        let mut found = found(&root, path).await;
        found.iter_mut().for_each(|folder| *folder = folder.replace("plain/../", ""));
        found.sort();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn links_that_lead_in_circles_end() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert_eq!(found(&root.path().canonicalize().unwrap(), "a").await, [""]);
    }

    #[tokio::test]
    async fn a_relative_path_begins_here() {
        assert_eq!(folders(Path::new("config.yaml")).await, BTreeSet::from([PathBuf::from(".")]));
    }
}
