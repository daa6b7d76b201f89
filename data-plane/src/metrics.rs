//! What Prometheus reads. Labels come from resources, never from requests, so their number is bounded by the snapshot.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// All metrics of one data plane.
pub struct Metrics {
    registry: Mutex<Registry>,
    generation: Gauge<u64, AtomicU64>,
}

impl Metrics {
    /// Returns metrics that have counted nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sluice");
        let generation = Gauge::default();
        registry.register(
            "snapshot_generation",
            "Number of the snapshot that is served; 0 before the first",
            generation.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            generation,
        }
    }

    /// Notes the number of the snapshot that is served now.
    pub fn set_generation(&self, generation: u64) {
        self.generation.set(generation);
    }

    /// Has somebody else's metrics encoded as well, such as those of the stream.
    pub fn extend(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns all metrics in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
