//! What a process serves first: what the one before it served.

use std::sync::Arc;

use anyhow::Context as _;

use crate::disk_copy::{DiskCopy, Kept};
use crate::edge::Edge;
use crate::hand_over::Handed;
use crate::metrics::Metrics;

/// What was served before this process.
#[derive(Clone, Copy, Default)]
pub(super) struct Restored {
    /// 0 if nothing.
    pub(super) generation: u64,
    /// Whether its endpoints may be somebody else's by now.
    pub(super) endpoints_stale: bool,
}

/// Serves what was served last, if that is known.
pub(super) async fn restore(
    disk_copy: &Arc<DiskCopy>,
    edge: &Arc<Edge>,
    metrics: &Metrics,
    handed: Option<Handed>,
) -> anyhow::Result<Restored> {
    let (copy, edge) = (Arc::clone(disk_copy), Arc::clone(edge));
    let restored = tokio::task::spawn_blocking(move || match handed {
        Some(handed) => {
            serve_kept(&edge, &handed.kept);
            // The other process's disk ends with its pod.
            if let Err(error) = copy.save(&handed.kept) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the snapshot that was handed over is not on disk");
            }
            Restored {
                generation: handed.kept.generation,
                endpoints_stale: handed.endpoints_stale,
            }
        }
        None => restore_from_disk(&copy, &edge),
    });
    let restored = restored
        .await
        .context("reading the disk copy ended early")?;
    metrics.set_generation(restored.generation);
    Ok(restored)
}

fn restore_from_disk(copy: &DiskCopy, edge: &Edge) -> Restored {
    match copy.load() {
        Ok(None) => {
            tracing::info!(
                "no snapshot on disk; nothing is served until the control plane sends one"
            );
            Restored::default()
        }
        Ok(Some(kept)) => {
            serve_kept(edge, &kept);
            tracing::info!(
                generation = kept.generation,
                resources = kept.snapshot.len(),
                "serving the snapshot on disk until the control plane sends a newer one"
            );
            Restored {
                generation: kept.generation,
                endpoints_stale: true,
            }
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no snapshot from disk; nothing is served until the control plane sends one"
            );
            Restored::default()
        }
    }
}

fn serve_kept(edge: &Edge, kept: &Kept) {
    for refusal in edge.restore(&kept.certificates, &kept.snapshot) {
        tracing::error!(
            kind = refusal.kind,
            name = refusal.name,
            reason = refusal.reason,
            "refused a resource of the snapshot that was served before"
        );
    }
}
