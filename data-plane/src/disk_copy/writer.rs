//! Keeps the copy on disk current: the task that writes it.
//!
//! It does not decide what is kept; it asks when something changed.

use std::sync::Arc;
use std::time::Duration;

use sluice_proto::{ObjectReference, Problem};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::disk_copy::{DiskCopy, Kept};

/// The task that keeps the copy current.
pub(crate) struct Writer<T, V, K> {
    /// Where the copy is.
    pub(crate) copy: Arc<DiskCopy>,
    /// What changes whenever something is accepted, and perhaps more often.
    pub(crate) changes: watch::Receiver<T>,
    /// What of it is another whenever something was accepted.
    pub(crate) version: V,
    /// What is to be kept now.
    pub(crate) current: K,
    /// The node's name.
    pub(crate) node: String,
    /// Where it says why the copy is not current, if it is not.
    pub(crate) problem: watch::Sender<Option<Problem>>,
}

impl<T, V, K> Writer<T, V, K>
where
    V: Fn(&T) -> u64,
    K: Fn() -> Kept,
{
    /// Writes at most about once a second, until nobody can change anything any more and the last state is written.
    pub(crate) async fn run(mut self) {
        let mut written = (self.version)(&self.changes.borrow_and_update());
        loop {
            let is_failing = self.problem.borrow().is_some();
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    break;
                },
                // What was wrong with the disk may have passed.
                () = sleep(AFTER_A_FAILURE), if is_failing => {}
            }
            let version = (self.version)(&self.changes.borrow_and_update());
            if version == written && !is_failing {
                continue;
            }
            written = version;
            self.write().await;
            // Whatever changes meanwhile is written at once: a burst of pods costs one write a second. When nobody can
            // change it any more, there is nothing to wait for.
            tokio::select! {
                () = sleep(BETWEEN_WRITES) => {}
                () = closed(self.changes.clone()) => {}
            }
        }
        if self.problem.borrow().is_some() {
            self.write().await;
        }
    }

    async fn write(&self) {
        let kept = (self.current)();
        // Nothing was ever accepted: an empty copy would make the next start serve 404.
        if kept.snapshot.is_empty() {
            return;
        }
        let copy = Arc::clone(&self.copy);
        let saved = tokio::task::spawn_blocking(move || copy.save(&kept)).await;
        let error = match saved {
            Ok(Ok(())) => {
                self.problem.send_replace(None);
                return;
            }
            Ok(Err(error)) => chain(&error),
            Err(error) => error.to_string(),
        };
        tracing::error!(
            error,
            "the snapshot is not on disk; after a restart without the control plane, something older or nothing would \
             be served"
        );
        self.problem.send_replace(Some(self.not_written(&error)));
    }

    fn not_written(&self, error: &str) -> Problem {
        Problem {
            object: ObjectReference {
                kind: "Node".to_owned(),
                namespace: String::new(),
                name: self.node.clone(),
            },
            field: String::new(),
            code: "DiskCopyNotWritten".to_owned(),
            message: format!(
                "the snapshot is not on the disk of node {}: {error}; if its data plane restarts without the control \
                 plane, it serves something older or nothing",
                self.node
            ),
            remedy: "Give --state-dir a folder that the data plane may write, on a disk with room."
                .to_owned(),
        }
    }
}

async fn closed<T>(mut changes: watch::Receiver<T>) {
    while changes.changed().await.is_ok() {}
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

const BETWEEN_WRITES: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);
