//! When endpoints count as stale: after a start from disk, and when there has been no stream for a while, a pod's address
//! may be somebody else's by now.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

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
    // Since when nobody has said that what is held is current, and how many deltas had been applied by then. A stream
    // alone does not say so: whoever answers may not know the cluster yet. A delta does, even an empty one.
    let mut unsure = Some((Instant::now(), 0));
    mark(stale);
    loop {
        let now = status.borrow_and_update().clone();
        let said = unsure.is_none_or(|(_, applied)| now.applied > applied);
        match now.link {
            Link::Down { since_instant, .. } if said => unsure = Some((since_instant, now.applied)),
            Link::Up { .. } if said => {
                unsure = None;
                if std::mem::take(&mut stale) {
                    mark(false);
                    tracing::info!("endpoints are current again");
                }
            }
            Link::Down { .. } | Link::Up { .. } => {}
        }
        edge.set_endpoints_unsure(unsure.is_some());
        let changed = match unsure {
            Some((since, _)) if !stale => tokio::select! {
                changed = status.changed() => changed,
                () = sleep_until(since + edge.settings().timeouts.endpoints_stale) => {
                    stale = true;
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
