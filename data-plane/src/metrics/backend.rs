//! What happens between the edge and a backend: counters that live as long as the backend.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What happened between the edge and one backend.
#[derive(Debug, Default)]
pub(crate) struct BackendCounters {
    /// Connections to its endpoints that could not be opened.
    pub(crate) connect_errors: AtomicU64,
    /// Requests that were tried again.
    pub(crate) retries: AtomicU64,
    /// Times that one of its endpoints was left out for a while.
    pub(crate) ejections: AtomicU64,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backends {
    all: Arc<Mutex<BTreeMap<Arc<str>, Weak<BackendCounters>>>>,
}

impl Backends {
    pub(crate) fn of(&self, name: &Arc<str>) -> Arc<BackendCounters> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = all.get(name).and_then(Weak::upgrade) {
            return counters;
        }
        let counters = Arc::default();
        all.insert(Arc::clone(name), Arc::downgrade(&counters));
        counters
    }

    fn living(&self) -> Vec<(Arc<str>, Arc<BackendCounters>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, counters| counters.strong_count() > 0);
        let living = all.iter();
        living
            .filter_map(|(name, counters)| Some((Arc::clone(name), counters.upgrade()?)))
            .collect()
    }
}

impl Collector for Backends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let living = self.living();
        type Field = fn(&BackendCounters) -> &AtomicU64;
        let counters: [(&str, &str, Field); 3] = [
            (
                "upstream_connect_errors",
                "Connections to endpoints that could not be opened",
                |counters| &counters.connect_errors,
            ),
            (
                "upstream_retries",
                "Requests that were tried again on another connection",
                |counters| &counters.retries,
            ),
            (
                "endpoint_ejections",
                "Times that an endpoint was left out after repeated connect errors",
                |counters| &counters.ejections,
            ),
        ];
        for (name, help, field) in counters {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (backend, counters) in &living {
                let count = field(counters).load(Ordering::Relaxed);
                if count > 0 {
                    metric
                        .encode_family(&[("backend", &**backend)])?
                        .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        Ok(())
    }
}
