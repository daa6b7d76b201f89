//! Keeps the copy on disk current: the task that writes it.
//!
//! It does not decide what is kept; it asks when something changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::disk_copy::{DiskCopy, Kept};

/// Writes what `current` returns whenever `changes` changes, at most about once a second; ends, with the last state
/// written, when nobody can change it any more.
pub(crate) async fn keep_current<T>(
    copy: Arc<DiskCopy>,
    mut changes: watch::Receiver<T>,
    current: impl Fn() -> Kept,
) {
    while changes.changed().await.is_ok() {
        write(&copy, current()).await;
        // Whatever changes meanwhile is written at once: a burst of pods costs one write a second. When nobody can
        // change it any more, there is nothing to wait for.
        tokio::select! {
            () = sleep(BETWEEN_WRITES) => {}
            () = closed(changes.clone()) => {}
        }
    }
    write(&copy, current()).await;
}

async fn closed<T>(mut changes: watch::Receiver<T>) {
    while changes.changed().await.is_ok() {}
}

async fn write(copy: &Arc<DiskCopy>, kept: Kept) {
    // Nothing was ever accepted: an empty copy would make the next start serve 404.
    if kept.snapshot.is_empty() {
        return;
    }
    let copy = Arc::clone(copy);
    let written = tokio::task::spawn_blocking(move || copy.save(&kept)).await;
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the snapshot is not on disk; a restart without the control plane would not serve"
        ),
        Err(error) => tracing::error!(%error, "writing the snapshot ended early"),
    }
}

const BETWEEN_WRITES: Duration = Duration::from_secs(1);
