//! The source `files`: a folder of YAML and JSON files (`*.yaml`, `*.yml`, `*.json`, with subfolders), watched.
//!
//! It does not need a Kubernetes. An object without `metadata.creationTimestamp` counts as older than any with one, and
//! among several such the namespace and the name decide, so the order of files never matters.

mod folder;
mod scan;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::path_watch::PathWatch;
use crate::source::files::folder::Folder;
pub(crate) use crate::source::files::folder::duplicate;
pub(crate) use crate::source::files::scan::{Unreadable, read, read_from, scan};
use crate::source::{Batch, QUEUE, Source, SourceError, SourceTask};

/// Reads the folder and starts to watch it.
///
/// # Errors
///
/// If the folder cannot be listed. A file that cannot be used is a problem, not an error.
pub async fn start(folder: &Path) -> Result<(Source, SourceTask), FilesError> {
    let path: Arc<Path> = folder.into();
    let mut watched = PathWatch::tree(folder);
    watched.arm().await;
    let found = scan_aside(Arc::clone(&path)).await;
    let found = found.map_err(|source| FilesError {
        folder: folder.to_owned(),
        source,
    })?;
    let mut folder = Folder::default();
    let mut first = folder.update(found);
    first.synced = true;
    let (sender, batches) = mpsc::channel(QUEUE);
    let source = Source {
        batches,
        secrets: None,
    };
    Ok((source, follow(path, folder, first, watched, sender).boxed()))
}

/// The folder cannot be listed: the user's path, or its rights.
#[derive(Debug, thiserror::Error)]
#[error("the folder {} cannot be listed; give a readable one with --files", folder.display())]
pub struct FilesError {
    folder: PathBuf,
    #[source]
    source: io::Error,
}

async fn follow(
    path: Arc<Path>,
    mut folder: Folder,
    first: Batch,
    mut watched: PathWatch,
    sender: mpsc::Sender<Batch>,
) -> Result<Infallible, SourceError> {
    let mut batch = first;
    loop {
        if !batch.is_empty() {
            let sent = sender.send(batch).await;
            sent.map_err(|_| SourceError::Closed)?;
        }
        watched.changed().await;
        if sender.is_closed() {
            return Err(SourceError::Closed);
        }
        batch = match scan_aside(Arc::clone(&path)).await {
            Ok(found) => folder.update(found),
            Err(error) => folder.unlistable(&path, &error),
        };
    }
}

/// Reads on a thread that may block.
async fn scan_aside(path: Arc<Path>) -> io::Result<scan::Found> {
    let scanned = tokio::task::spawn_blocking(move || scan(&path)).await;
    scanned.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
