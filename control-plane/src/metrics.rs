//! What the control plane counts, for Prometheus.
//!
//! It does not count what can be looked up when asked: [`live`] reads that from where it is. [`server`] serves both.

pub mod live;
pub mod server;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    api_server_reachable: Gauge,
    leader: Gauge,
    source_changes: Family<ChangeLabel, Counter>,
    watch_errors: Family<KindLabel, Counter>,
    reconcile_seconds: Histogram,
    events: Family<OutcomeLabel, Counter>,
    change_live_seconds: Histogram,
    status_writes: Family<OutcomeLabel, Counter>,
    status_addresses: Gauge,
    stream_sent_messages: Counter,
    stream_sent_bytes: Counter,
}

impl Metrics {
    /// Returns them, all zero.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("sluice")),
            api_server_reachable: Gauge::default(),
            leader: Gauge::default(),
            source_changes: Family::default(),
            watch_errors: Family::default(),
            // 100 µs to 26 s.
            reconcile_seconds: Histogram::new(exponential_buckets(0.0001, 4.0, 10)),
            events: Family::default(),
            // 1 ms to 4 min.
            change_live_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 10)),
            status_writes: Family::default(),
            status_addresses: Gauge::default(),
            stream_sent_messages: Counter::default(),
            stream_sent_bytes: Counter::default(),
        };
        metrics.register();
        metrics
    }

    /// Takes in that the API server answers, or does not.
    pub fn api_server_is_reachable(&self, reachable: bool) {
        self.api_server_reachable.set(i64::from(reachable));
    }

    /// Takes in whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Counts objects that a source applied or removed.
    pub fn source_changed(&self, applied: usize, removed: usize) {
        for (change, count) in [("applied", applied), ("removed", removed)] {
            let counter = self.source_changes.get_or_create(&ChangeLabel { change });
            counter.inc_by(count as u64);
        }
    }

    /// Counts a failure to list or watch objects of this kind.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts a translation that took so long.
    pub fn reconciled(&self, took: Duration) {
        self.reconcile_seconds.observe(took.as_secs_f64());
    }

    /// Counts a Kubernetes Event.
    pub fn event(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Posted => "posted",
            Outcome::Failed => "failed",
        };
        self.events.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a change of routes that all nodes had so long after it arrived.
    pub fn became_live(&self, after: Duration) {
        self.change_live_seconds.observe(after.as_secs_f64());
    }

    /// Counts a write of an Ingress' status.
    pub fn status_written(&self, outcome: StatusOutcome) {
        let outcome = match outcome {
            StatusOutcome::Written => "written",
            StatusOutcome::Cleared => "cleared",
            StatusOutcome::Conflict => "conflict",
            StatusOutcome::Gone => "gone",
            StatusOutcome::Forbidden => "forbidden",
            StatusOutcome::Failed => "failed",
        };
        let label = OutcomeLabel { outcome };
        self.status_writes.get_or_create(&label).inc();
    }

    /// Takes in how many addresses the status of Ingresses should have.
    pub fn status_addresses(&self, addresses: usize) {
        let addresses = i64::try_from(addresses).unwrap_or(i64::MAX);
        self.status_addresses.set(addresses);
    }

    /// Counts a message of so many bytes to a data plane.
    pub fn streamed(&self, bytes: usize) {
        self.stream_sent_messages.inc();
        self.stream_sent_bytes.inc_by(bytes as u64);
    }

    /// Adds what is looked up at each scrape.
    pub fn add(&self, collector: impl Collector) {
        self.lock().register_collector(Box::new(collector));
    }

    /// Returns all of it in the OpenMetrics text format.
    ///
    /// # Errors
    ///
    /// If a collector fails.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.lock())?;
        Ok(text)
    }

    fn register(&self) {
        let mut registry = self.lock();
        registry.register(
            "api_server_reachable",
            "Whether the Kubernetes API server answers; 0 also with the source files",
            self.api_server_reachable.clone(),
        );
        registry.register(
            "leader",
            "1 while this replica of the control plane leads, else 0",
            self.leader.clone(),
        );
        registry.register(
            "source_objects",
            "Objects that the source sent as changed or gone",
            self.source_changes.clone(),
        );
        registry.register(
            "watch_errors",
            "Failures to list or watch objects",
            self.watch_errors.clone(),
        );
        registry.register(
            "reconcile_duration_seconds",
            "Time to translate all objects into a snapshot",
            self.reconcile_seconds.clone(),
        );
        registry.register(
            "kubernetes_events",
            "Kubernetes Events, by what became of them",
            self.events.clone(),
        );
        registry.register(
            "change_live_seconds",
            "Time from the arrival of a change of routes to its acknowledgement by the last connected node",
            self.change_live_seconds.clone(),
        );
        registry.register(
            "status_writes",
            "Writes of the status of Ingresses, by what became of them",
            self.status_writes.clone(),
        );
        registry.register(
            "status_addresses",
            "Addresses that the leader publishes in the status of Ingresses; 0 if it publishes none",
            self.status_addresses.clone(),
        );
        registry.register(
            "stream_sent_messages",
            "Messages to data planes, all nodes together",
            self.stream_sent_messages.clone(),
        );
        registry.register(
            "stream_sent_bytes",
            "Bytes of these messages, without what gRPC and TLS add",
            self.stream_sent_bytes.clone(),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of a Kubernetes Event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was posted.
    Posted,
    /// The API server did not take it; it is tried again.
    Failed,
}

/// What became of a write of an Ingress' status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StatusOutcome {
    /// It has the addresses.
    Written,
    /// It has none any more.
    Cleared,
    /// The Ingress changed meanwhile.
    Conflict,
    /// The Ingress is no more.
    Gone,
    /// RBAC forbids it.
    Forbidden,
    /// The API server did not take it.
    Failed,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ChangeLabel {
    change: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OutcomeLabel {
    outcome: &'static str,
}
