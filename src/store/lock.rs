//! One daemon for each file: a lock that ends with the process, however it ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// The hold on a store, by a lock of the operating system on the file `PATH.lock` beside it.
///
/// The file stays when the hold ends: were it removed, one process could hold the removed file and the
/// next a new one of the same name.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes hold of a store.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let lock = beside(path, ".lock");
        let failed = |source| OpenError::Lock { path: path.to_owned(), lock: lock.clone(), source };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = file.read_to_string(&mut text).ok();
                let holder = read.and_then(|_| text.trim().parse().ok());
                return Err(OpenError::InUse { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The id is for people. On a full disk it cannot be written, and the lock holds all the same.
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::debug!(%error, "the process id could not be written to the lock of the store");
        }
        Ok(Self(file))
    }

    /// Lets go while other parts of the process still know the store.
    pub(super) fn release(&self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the lock of the store could not be let go; it ends with the process");
        }
    }
}

/// The path of a file beside the store's, by what is added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
