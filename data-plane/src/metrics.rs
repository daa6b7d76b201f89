//! What Prometheus reads. Labels come from resources, never from requests, so their number is bounded by the snapshot.
//!
//! Requests are counted in atomics of the core that serves them and added up when somebody asks.

mod backend;
mod cores;
mod histogram;
mod route;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use crate::metrics::backend::BackendCounters;
pub(crate) use crate::metrics::cores::{CoreCounters, HandshakeFailure, ProtocolError};
pub(crate) use crate::metrics::route::{RouteCounters, RouteLabels};

/// All metrics of one data plane.
pub struct Metrics {
    registry: Mutex<Registry>,
    generation: Gauge<u64, AtomicU64>,
    resources_refused: Gauge<u64, AtomicU64>,
    certificates_kept: Gauge<u64, AtomicU64>,
    certificate_expiry: Family<CertificateLabels, Gauge>,
    cores: cores::Cores,
    routes: route::Routes,
    backends: backend::Backends,
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
        let resources_refused = Gauge::default();
        registry.register(
            "resources_refused",
            "Resources of the snapshot that could not be accepted: their last good versions are served",
            resources_refused.clone(),
        );
        let certificates_kept = Gauge::default();
        registry.register(
            "certificates_kept",
            "Certificates served although their Secret is gone or broken",
            certificates_kept.clone(),
        );
        let certificate_expiry = Family::default();
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When a served certificate ends, in seconds since 1970",
            certificate_expiry.clone(),
        );
        let cores = cores::Cores::default();
        registry.register_collector(Box::new(cores.clone()));
        let routes = route::Routes::default();
        registry.register_collector(Box::new(routes.clone()));
        let backends = backend::Backends::default();
        registry.register_collector(Box::new(backends.clone()));
        Self {
            registry: Mutex::new(registry),
            generation,
            resources_refused,
            certificates_kept,
            certificate_expiry,
            cores,
            routes,
            backends,
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

    pub(crate) fn set_resources_refused(&self, count: usize) {
        self.resources_refused.set(count as u64);
    }

    /// Notes which certificates are served until when, and how many of them are kept beyond their Secret.
    pub(crate) fn set_certificates<'a>(
        &self,
        expiries: impl Iterator<Item = (&'a str, i64)>,
        kept: usize,
    ) {
        self.certificates_kept.set(kept as u64);
        self.certificate_expiry.clear();
        for (name, not_after_unix_s) in expiries {
            let labels = CertificateLabels {
                certificate: name.to_owned(),
            };
            self.certificate_expiry
                .get_or_create(&labels)
                .set(not_after_unix_s);
        }
    }

    /// Returns the counters of a new core.
    pub(crate) fn core(&self) -> Arc<CoreCounters> {
        self.cores.add()
    }

    /// Returns the counters of requests with these labels; the same while somebody holds them. All cores have been made
    /// before.
    pub(crate) fn route(&self, labels: &RouteLabels) -> Arc<RouteCounters> {
        self.routes.of(labels, self.cores.count())
    }

    /// Returns the counters of the backend of this name; the same while somebody holds them.
    pub(crate) fn backend(&self, name: &Arc<str>) -> Arc<BackendCounters> {
        self.backends.of(name)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CertificateLabels {
    certificate: String,
}
