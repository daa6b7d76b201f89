//! When endpoints count as stale: after a start from disk, and when there has been no stream for a while, a pod's address
//! may be somebody else's by now.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::edge::Edge;
use crate::sync::metrics::StreamMetrics;
use crate::sync::status::{Link, SyncStatus};

/// Tells the edge whether its endpoints are stale, until nobody can change the status any more.
pub(crate) async fn mark_stale_endpoints(
    edge: Arc<Edge>,
    mut status: watch::Receiver<SyncStatus>,
    metrics: StreamMetrics,
    restored: bool,
) {
    let mark = |stale| {
        edge.set_endpoints_stale(stale);
        metrics.endpoints_stale.set(i64::from(stale));
    };
    let mut stale = restored;
    // Until this many deltas were applied, the stream has not said that what is held is current.
    let mut fresh_from = u64::from(restored);
    mark(stale);
    loop {
        let now = status.borrow_and_update().clone();
        let stale_at = match now.link {
            Link::Up { .. } => None,
            Link::Down { since_instant, .. } => {
                Some(since_instant + edge.settings().timeouts.endpoints_stale)
            }
        };
        if stale && stale_at.is_none() && now.applied >= fresh_from {
            stale = false;
            mark(false);
            tracing::info!("endpoints are current again");
        }
        let changed = match stale_at {
            Some(at) if !stale => tokio::select! {
                changed = status.changed() => changed,
                () = sleep_until(at) => {
                    stale = true;
                    fresh_from = now.applied + 1;
                    mark(true);
                    tracing::warn!("no control plane: endpoints may be stale and are reached through their Services");
                    Ok(())
                }
            },
            _ => status.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}
