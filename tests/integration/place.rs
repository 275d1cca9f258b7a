//! Where a store of a test's own is: in a file.

use std::time::Duration;

use regwatch::config;
use regwatch::store::Store;

/// A folder of a test's own, and the settings of a store in it.
pub(crate) struct Place {
    /// Gone with the place.
    _folder: tempfile::TempDir,
    pub(crate) settings: config::Store,
}

impl Place {
    #[expect(clippy::unused_async, reason = "a place for another engine has to be waited for")]
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = config::Store {
            path: Some(folder.path().join("regwatch.db")),
            postgres: None,
            retention: Duration::from_hours(90 * 24),
            max_events: 1_000_000,
        };
        Self { _folder: folder, settings }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.settings).await.expect("it opens")
    }
}
