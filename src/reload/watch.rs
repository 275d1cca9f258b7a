//! A change of the configuration file as a wish to read it anew.
//!
//! What counts is the content at the path, however it came there: written in place, renamed over, deleted
//! and made again, or behind symbolic links that now lead elsewhere. The kernel's notifications only say
//! when to look; a slow look now and then covers what they do not reach (network file systems, a folder
//! moved away) and where there are none to be had.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::place::folders;
use super::{Refused, Trigger};

/// How often the content is looked at without any notification.
const SLOW_LOOK: Duration = Duration::from_secs(10);

/// Between a notification and the look, since few come alone; and for how long a new content has to stay as
/// it is.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a file that never stays as it is can delay its being read.
const LATEST: Duration = Duration::from_secs(2);

/// A watch over one file.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// The content that was last asked to be read.
    content: Option<Vec<u8>>,
    /// Whether the file could not be read when it was last looked at.
    is_lost: bool,
}

impl Watch {
    /// Notes the content at a path, which counts as known: to be called before the configuration is loaded,
    /// so that no change falls between the two.
    pub async fn begin(path: PathBuf) -> Self {
        let content = tokio::fs::read(&path).await.ok();
        Self { path, content, is_lost: false }
    }

    /// Pulls the trigger whenever the content has become another. Never ends.
    pub async fn run(self, trigger: Trigger) -> Infallible {
        let stirred = Arc::new(Notify::new());
        let folders = Folders::open(&stirred);
        self.run_with(folders, &stirred, trigger.because("the file has changed")).await
    }

    async fn run_with(mut self, mut folders: Folders, stirred: &Notify, trigger: Trigger) -> Infallible {
        folders.follow(&self.path).await;
        tracing::info!(file = %self.path.display(), "watching the configuration file");
        loop {
            // In this order: what changes after the folders are watched is notified, so a look afterwards
            // misses nothing.
            folders.follow(&self.path).await;
            if self.has_changed().await {
                // What came of it is logged where it is answered. A content that was refused is not asked
                // for again; one that comes back is.
                let _: Result<(), Refused> = trigger.pull().await;
            }
            if timeout(SLOW_LOOK, stirred.notified()).await.is_ok() {
                sleep(PAUSE).await;
                tracing::debug!(file = %self.path.display(), "something has changed at the configuration file");
            }
        }
    }

    /// Looks at the content; whether it is one that has yet to be read.
    async fn has_changed(&mut self) -> bool {
        match self.steady().await {
            Ok(content) => {
                if std::mem::take(&mut self.is_lost) {
                    tracing::info!(file = %self.path.display(), "the configuration file is there again");
                }
                let is_new = self.content.as_ref() != Some(&content);
                self.content = Some(content);
                is_new
            }
            Err(error) => {
                self.lost(&error);
                false
            }
        }
    }

    /// The content, unless it is being written: who writes in place leaves an empty file for a moment, and
    /// others remove it and make another.
    async fn steady(&self) -> io::Result<Vec<u8>> {
        let latest = Instant::now() + LATEST;
        let mut read = tokio::fs::read(&self.path).await;
        let mut is_steady = read.as_ref().ok() == self.content.as_ref();
        while !is_steady && Instant::now() < latest {
            sleep(PAUSE).await;
            let again = tokio::fs::read(&self.path).await;
            is_steady = again.as_ref().ok() == read.as_ref().ok();
            read = again;
        }
        read
    }

    fn lost(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_lost, true) {
            tracing::warn!(
                file = %self.path.display(), %error,
                "the configuration file cannot be read; what it said stays in force"
            );
        }
    }
}

/// The folders whose changes are notified.
struct Folders {
    /// `None` where the system has no notifications to give.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Whether it has been said that one of them cannot be watched.
    is_blind: bool,
}

impl Folders {
    fn open(stirred: &Arc<Notify>) -> Self {
        let stirred = Arc::clone(stirred);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Looking at the file is an event too, and must not lead to another look.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            stirred.notify_one();
        });
        let mut folders = Self { watcher: None, watched: BTreeSet::new(), is_blind: false };
        match watcher {
            Ok(watcher) => folders.watcher = Some(watcher),
            Err(error) => folders.blind(&error),
        }
        folders
    }

    /// Watches the folders that a path leads through now, and no others.
    async fn follow(&mut self, path: &Path) {
        let wanted = folders(path).await;
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.watched.difference(&wanted) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(folder);
        }
        // Also those that are watched already: a folder of the same name may be another now.
        let watched = wanted.iter().try_for_each(|folder| {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                // Gone since it was found, which is a change: the next look finds what has come instead.
                Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => Ok(()),
                watched => watched,
            }
        });
        self.watched = wanted;
        match watched {
            Ok(()) => self.is_blind = false,
            Err(error) => self.blind(&error),
        }
    }

    /// Says once that notifications are missing.
    fn blind(&mut self, error: &notify::Error) {
        if !std::mem::replace(&mut self.is_blind, true) {
            let seconds = SLOW_LOOK.as_secs();
            tracing::warn!(%error, "changes of the configuration file are not notified; looking every {seconds} s");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_notifications_it_looks_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "one").unwrap();
        let (trigger, mut requests) = channel();
        let watch = Watch::begin(path.clone()).await;
        let nobody = Notify::new();
        let folders = Folders { watcher: None, watched: BTreeSet::new(), is_blind: true };
        let mut watching = std::pin::pin!(watch.run_with(folders, &nobody, trigger));
        let mut asked = async || {
            tokio::select! {
                never = &mut watching => match never {},
                request = timeout(10 * SLOW_LOOK, requests.next()) => request.ok().flatten(),
            }
        };

        assert!(asked().await.is_none(), "nothing has changed");
        std::fs::write(&path, "two").unwrap();
        asked().await.expect("the content is another").answer(Err(Refused("no".to_owned())));
        assert!(asked().await.is_none(), "what was refused is not asked for again");
        std::fs::remove_file(&path).unwrap();
        assert!(asked().await.is_none(), "there is nothing to be read");
        std::fs::write(&path, "two").unwrap();
        assert!(asked().await.is_none(), "what comes back is what it was");
        std::fs::write(&path, "one").unwrap();
        asked().await.expect("the content is another").answer(Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_let_be_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "one").unwrap();
        let mut watch = Watch::begin(path.clone()).await;
        std::fs::write(&path, "").unwrap();
        let finish = async {
            sleep(PAUSE / 2).await;
            std::fs::write(&path, "two").unwrap();
        };
        let (is_new, ()) = tokio::join!(watch.has_changed(), finish);
        assert_eq!((is_new, watch.content.as_deref()), (true, Some(&b"two"[..])));

        let began = Instant::now();
        let other = folder.path().join("other");
        std::fs::write(&path, "three").unwrap();
        let busy = async {
            for turn in 0_u32.. {
                // At once, since an empty file is like another.
                std::fs::write(&other, turn.to_string()).unwrap();
                std::fs::rename(&other, &path).unwrap();
                sleep(PAUSE / 2).await;
            }
        };
        tokio::select! {
            is_new = watch.has_changed() => assert!(is_new),
            () = busy => {}
        }
        assert!(began.elapsed() >= LATEST, "after {:?}", began.elapsed());
    }
}
