//! Keeps the copy on disk current: the task that writes it.
//!
//! It does not decide what is kept; it asks when something changed.

use std::sync::Arc;
use std::time::Duration;

use sluice_proto::{ObjectReference, Problem};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::causes::with_causes;
use crate::disk_copy::{DiskCopy, Kept};
use crate::identity::SealKeys;

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
    /// What to seal with, once it is known; then, whenever it is something else, the copy is sealed anew: two renewals
    /// later nobody could open it.
    pub(crate) seal_keys: watch::Receiver<Option<SealKeys>>,
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
            let mut is_outdated = false;
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    break;
                },
                Ok(()) = self.seal_keys.changed() => {
                    let keys = *self.seal_keys.borrow_and_update();
                    is_outdated = keys.is_some_and(|keys| self.copy.follow(&keys));
                }
                // What was wrong with the disk may have passed.
                () = sleep(AFTER_A_FAILURE), if is_failing => {}
            }
            let version = (self.version)(&self.changes.borrow_and_update());
            if version == written && !is_failing && !is_outdated {
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
            Ok(Err(error)) => with_causes(&error),
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

const BETWEEN_WRITES: Duration = Duration::from_secs(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::Instant;

    use super::*;
    use crate::disk_copy::format::tests::kept;
    use crate::disk_copy::tests::keys;

    #[tokio::test]
    async fn a_burst_is_one_write_or_two_and_the_last_state_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Arc::new(DiskCopy::open(folder.path(), &keys(7, None)).unwrap());
        let (change, changes) = watch::channel((0, "a look for the control plane"));
        let (generation, writes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (current, counted) = (Arc::clone(&generation), Arc::clone(&writes));
        let writer = Writer {
            copy: Arc::clone(&copy),
            changes,
            version: |change: &(u64, &str)| change.0,
            current: move || {
                counted.fetch_add(1, Ordering::SeqCst);
                Kept {
                    generation: current.load(Ordering::SeqCst),
                    ..kept(3)
                }
            },
            seal_keys: watch::channel(None).1,
            node: "node-a".to_owned(),
            problem: watch::Sender::new(None),
        };
        let writer = tokio::spawn(writer.run());
        let start = Instant::now();
        for number in 1..=200 {
            generation.store(number, Ordering::SeqCst);
            change.send_replace((number, "accepted"));
            change.send_replace((number, "another look"));
            tokio::task::yield_now().await;
            sleep(Duration::from_millis(1)).await;
        }
        drop(change);
        writer.await.unwrap();
        assert_eq!(copy.load().unwrap().unwrap().generation, 200);
        let most = start.elapsed().as_secs() + 2;
        let writes = writes.load(Ordering::SeqCst);
        assert!(writes <= most, "{writes} writes where {most} are enough");
    }

    #[tokio::test]
    async fn what_is_on_disk_already_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Arc::new(DiskCopy::open(folder.path(), &keys(7, None)).unwrap());
        let (change, changes) = watch::channel((7, "restored"));
        change.send_replace((7, "a look for the control plane"));
        let writer = Writer {
            copy: Arc::clone(&copy),
            changes,
            version: |change: &(u64, &str)| change.0,
            current: || kept(3),
            seal_keys: watch::channel(None).1,
            node: "node-a".to_owned(),
            problem: watch::Sender::new(None),
        };
        let writer = tokio::spawn(writer.run());
        // It is waiting for a change now, and takes this one in before the end.
        tokio::task::yield_now().await;
        change.send_replace((7, "another look"));
        tokio::task::yield_now().await;
        drop(change);
        writer.await.unwrap();
        assert_eq!(copy.load().unwrap(), None);
    }

    #[tokio::test]
    async fn the_copy_is_sealed_anew_when_the_key_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Arc::new(DiskCopy::open(folder.path(), &keys(7, None)).unwrap());
        let (change, changes) = watch::channel(7);
        let (renew, seal_keys) = watch::channel(None);
        let writer = Writer {
            copy: Arc::clone(&copy),
            changes,
            version: |change: &u64| *change,
            current: || kept(3),
            seal_keys,
            node: "node-a".to_owned(),
            problem: watch::Sender::new(None),
        };
        let writer = tokio::spawn(writer.run());
        tokio::task::yield_now().await;
        renew.send_replace(Some(keys(7, None)));
        tokio::task::yield_now().await;
        assert_eq!(copy.load().unwrap(), None, "the key is the same");
        renew.send_replace(Some(keys(8, Some(7))));
        let alone = DiskCopy::open(folder.path(), &keys(8, None)).unwrap();
        while !matches!(alone.load(), Ok(Some(_))) {
            tokio::task::yield_now().await;
        }
        drop(change);
        writer.await.unwrap();
    }
}
