//! What Prometheus reads of the stream.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// The stream's metrics. Cloning is cheap: all clones are the same metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamMetrics {
    /// 1 while there is a stream.
    pub(crate) connected: Gauge,
    /// How many streams there were.
    pub(crate) opened: Counter,
    /// 1 while endpoints may be stale.
    pub(crate) endpoints_stale: Gauge,
}

impl StreamMetrics {
    /// Returns them, to be encoded with these others.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.extend(|registry| {
            registry.register(
                "stream_connected",
                "1 while there is a stream from the control plane, else 0",
                own.connected.clone(),
            );
            registry.register(
                "streams_opened",
                "Streams from the control plane that were opened",
                own.opened.clone(),
            );
            registry.register(
                "endpoints_stale",
                "1 while endpoints may be stale and are reached through their Services, else 0",
                own.endpoints_stale.clone(),
            );
        });
        own
    }
}
