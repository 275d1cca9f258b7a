//! Whether a file is still the one that it was, by what its folder tells of it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What tells one file from another. The time of the last change to the inode cannot be set back, as
/// the time of the last writing can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// The stamps of some files, symbolic links followed; `None` for one that is not there.
pub(super) fn all(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let seen = std::fs::metadata(path).ok()?;
        Some(Stamp {
            device: seen.dev(),
            inode: seen.ino(),
            size: seen.size(),
            written: (seen.mtime(), seen.mtime_nsec()),
            changed: (seen.ctime(), seen.ctime_nsec()),
        })
    };
    files.iter().map(stamp).collect()
}
