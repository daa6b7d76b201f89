//! Looks at the identity folder again and again: what changed there takes effect without a restart.
//!
//! It does not touch the stream: the certificates are for the next connection, and an open one stays.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::identity::metrics::IdentityMetrics;
use crate::identity::{Identity, IdentityError, SealKeys, seal_keys};
use crate::metrics::Metrics;

/// The task that looks.
pub(crate) struct Follow {
    folder: PathBuf,
    metrics: IdentityMetrics,
    seal_keys: watch::Sender<Option<SealKeys>>,
}

impl Follow {
    /// Returns the task, and where it puts the seal keys; there are none before its first look.
    pub(crate) fn new(
        folder: &Path,
        metrics: &Metrics,
    ) -> (Self, watch::Receiver<Option<SealKeys>>) {
        let (sender, seal_keys) = watch::channel(None);
        let follow = Self {
            folder: folder.to_owned(),
            metrics: IdentityMetrics::register(metrics),
            seal_keys: sender,
        };
        (follow, seal_keys)
    }

    /// Looks every few seconds. Never returns; drop the future to end it.
    pub(crate) async fn run(self) {
        let mut told = None;
        loop {
            let error = self.look().err().map(|error| error.to_string());
            if told != error {
                match &error {
                    Some(error) => tracing::warn!(
                        error,
                        "the identity cannot be read; what was read before stays in use"
                    ),
                    None => tracing::info!("the identity can be read again"),
                }
                told = error;
            }
            sleep(LOOK).await;
        }
    }

    fn look(&self) -> Result<(), IdentityError> {
        self.metrics.set(&Identity::read(&self.folder)?.lifetimes());
        let keys = seal_keys(&self.folder)?;
        self.seal_keys.send_if_modified(|current| {
            let changed = *current != Some(keys);
            *current = Some(keys);
            changed
        });
        Ok(())
    }
}

/// The files are few, small and in memory.
const LOOK: Duration = Duration::from_secs(5);
