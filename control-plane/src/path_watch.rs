//! Tells when something at a path may have changed: inotify, and a slow look as a safety net.
//!
//! It does not read anything, and it never loses a change: whoever waits compares what is there with what was there.
//! The files source and the settings file wait here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// A watch on a folder.
#[derive(Debug)]
pub(crate) struct PathWatch {
    folder: PathBuf,
    mode: RecursiveMode,
    changes: Arc<Changes>,
    watcher: Option<RecommendedWatcher>,
    failure_said: bool,
}

impl PathWatch {
    /// Watches a folder and everything below it.
    #[must_use]
    pub(crate) fn tree(folder: &Path) -> Self {
        Self::new(folder, RecursiveMode::Recursive)
    }

    /// Watches the folder that a file is in: a file that is replaced by rename, or that is a symlink into a mounted
    /// ConfigMap, cannot be watched itself.
    #[must_use]
    pub(crate) fn file(file: &Path) -> Self {
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        Self::new(folder, RecursiveMode::NonRecursive)
    }

    /// Starts to listen. Read what is there after this, and nothing is missed. Where that fails (no such folder, no
    /// inotify instance left), [`Self::changed`] tries again and meanwhile only looks from time to time.
    pub(crate) async fn arm(&mut self) {
        if self.watcher.is_some() && !self.changes.lock().folder_gone {
            return;
        }
        self.watcher = None;
        self.changes.lock().folder_gone = false;
        let (folder, mode, changes) = (self.folder.clone(), self.mode, Arc::clone(&self.changes));
        // A tree of folders is walked and watched one by one.
        let armed = tokio::task::spawn_blocking(move || listen(&folder, mode, changes)).await;
        match armed.unwrap_or_else(|panic| Err(notify::Error::io(io::Error::other(panic)))) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.failure_said = false;
            }
            Err(error) if !self.failure_said => {
                self.failure_said = true;
                tracing::warn!(
                    folder = %self.folder.display(),
                    error = %error,
                    "the folder cannot be watched: it is looked at every second instead"
                );
            }
            Err(_) => {}
        }
    }

    /// Returns when something may have changed and the writers seem to be done, or when it is time to look anyway.
    pub(crate) async fn changed(&mut self) {
        let look = if self.watcher.is_some() {
            LOOK
        } else {
            LOOK_UNWATCHED
        };
        let told = timeout(look, self.changes.notify.notified()).await.is_ok();
        if told {
            self.settle().await;
        }
        self.arm().await;
    }

    /// Waits until nothing has happened for a moment and no file is open that was written to.
    async fn settle(&self) {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            let more = timeout(SETTLE, self.changes.notify.notified()).await;
            if more.is_ok() {
                continue;
            }
            if self.changes.lock().being_written.is_empty() {
                return;
            }
            // The writer paused. Its close wakes us; if it never closes, patience ends.
            if timeout_at(patience, self.changes.notify.notified())
                .await
                .is_err()
            {
                break;
            }
        }
        self.changes.lock().being_written.clear();
    }

    fn new(folder: &Path, mode: RecursiveMode) -> Self {
        Self {
            folder: folder.to_owned(),
            mode,
            changes: Arc::default(),
            watcher: None,
            failure_said: false,
        }
    }
}

/// What notify's thread says to the waiting task.
#[derive(Debug, Default)]
struct Changes {
    notify: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Files that were written to and not closed since.
    being_written: BTreeSet<PathBuf>,
    /// The watched folder was removed or renamed: its inode tells nothing more.
    folder_gone: bool,
}

impl Changes {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, folder: &Path, event: Result<notify::Event, notify::Error>) {
        let Ok(event) = event else {
            // Events were lost: look.
            self.notify.notify_one();
            return;
        };
        let mut state = self.lock();
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                for path in &event.paths {
                    state.being_written.remove(path);
                }
            }
            // Our own reading.
            EventKind::Access(_) => return,
            EventKind::Modify(ModifyKind::Data(_)) => state.being_written.extend(event.paths),
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                for path in &event.paths {
                    state.being_written.remove(path);
                    state.folder_gone |= path == folder;
                }
            }
            _ => {}
        }
        drop(state);
        self.notify.notify_one();
    }
}

fn listen(
    folder: &Path,
    mode: RecursiveMode,
    changes: Arc<Changes>,
) -> notify::Result<RecommendedWatcher> {
    let root = folder.to_owned();
    let mut watcher = notify::recommended_watcher(move |event| changes.take_in(&root, event))?;
    watcher.watch(folder, mode)?;
    Ok(watcher)
}

/// Without an event for so long, an editor's save counts as done.
const SETTLE: Duration = Duration::from_millis(50);
/// A writer that never stops is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The safety net: what inotify does not tell (network file systems, the target of a symlink) is seen by then.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_UNWATCHED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs::{self, File};
    use std::io::Write;

    use super::*;

    /// Long before the slow look: only inotify tells so soon.
    const SOON: Duration = Duration::from_secs(4);

    async fn armed(folder: &Path) -> PathWatch {
        let mut watched = PathWatch::tree(folder);
        watched.arm().await;
        watched
    }

    #[tokio::test]
    async fn tells_of_changes_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = armed(folder.path()).await;
        fs::create_dir(folder.path().join("deep")).unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
        fs::write(folder.path().join("deep/a"), "1").unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
        fs::remove_file(folder.path().join("deep/a")).unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn reading_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "1").unwrap();
        let mut watched = armed(folder.path()).await;
        let reading = async {
            loop {
                fs::read(&file).unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = reading => {}
            told = timeout(Duration::from_millis(500), watched.changed()) => {
                assert!(told.is_err(), "reading counted as a change");
            }
        }
    }

    #[tokio::test]
    async fn waits_for_the_writer_to_close_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = armed(folder.path()).await;
        let mut file = File::create(folder.path().join("a")).unwrap();
        file.write_all(b"half").unwrap();
        let early = timeout(SETTLE * 4, watched.changed()).await;
        assert!(early.is_err(), "the file is still being written");
        file.write_all(b" whole").unwrap();
        drop(file);
        timeout(SOON, watched.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn does_not_wait_for_ever_for_a_file_that_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = armed(folder.path()).await;
        let mut file = File::create(folder.path().join("a")).unwrap();
        file.write_all(b"half").unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_comes_back_is_watched_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let mut watched = armed(&folder).await;
        fs::remove_dir(&folder).unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
        assert!(watched.watcher.is_none(), "there is nothing to watch");
        fs::create_dir(&folder).unwrap();
        while watched.watcher.is_none() {
            timeout(SOON, watched.changed()).await.unwrap();
        }
        fs::write(folder.join("a"), "1").unwrap();
        timeout(SOON, watched.changed()).await.unwrap();
    }
}
