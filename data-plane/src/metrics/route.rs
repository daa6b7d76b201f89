//! Requests by the route that answered: counters that live as long as a route has their labels.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::metrics::histogram::Durations;

/// Whose requests are counted: an Ingress and one of its backends. Requests that no route takes have `none` in all.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RouteLabels {
    pub(crate) namespace: String,
    pub(crate) ingress: String,
    pub(crate) backend: String,
}

impl RouteLabels {
    /// Returns the labels of requests that no route takes.
    pub(crate) fn none() -> Self {
        Self {
            namespace: "none".to_owned(),
            ingress: "none".to_owned(),
            backend: "none".to_owned(),
        }
    }
}

/// The requests of one set of labels, one part a core. A part is made with its first request.
#[derive(Debug)]
pub(crate) struct RouteCounters {
    cores: Box<[OnceLock<Box<Requests>>]>,
}

#[derive(Debug, Default)]
struct Requests {
    classes: [AtomicU64; CLASSES.len()],
    durations: Durations,
}

impl RouteCounters {
    /// Counts a request that this core has answered.
    pub(crate) fn observe(&self, core: usize, status: StatusCode, duration: Duration) {
        let Some(part) = self.cores.get(core) else {
            return;
        };
        let requests = part.get_or_init(Box::default);
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        requests.classes[class].fetch_add(1, Ordering::Relaxed);
        requests.durations.observe(duration);
    }

    fn parts(&self) -> impl Iterator<Item = &Requests> {
        self.cores
            .iter()
            .filter_map(OnceLock::get)
            .map(|part| &**part)
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    all: Arc<Mutex<BTreeMap<RouteLabels, Weak<RouteCounters>>>>,
}

impl Routes {
    pub(crate) fn of(&self, labels: &RouteLabels, cores: usize) -> Arc<RouteCounters> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = all.get(labels).and_then(Weak::upgrade) {
            return counters;
        }
        let counters = Arc::new(RouteCounters {
            cores: (0..cores).map(|_| OnceLock::new()).collect(),
        });
        all.insert(labels.clone(), Arc::downgrade(&counters));
        counters
    }

    // What no route has any more is forgotten here, so that labels do not pile up.
    fn living(&self) -> Vec<(RouteLabels, Arc<RouteCounters>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, counters| counters.strong_count() > 0);
        let living = all.iter();
        living
            .filter_map(|(labels, counters)| Some((labels.clone(), counters.upgrade()?)))
            .filter(|(_, counters)| counters.parts().next().is_some())
            .collect()
    }
}

impl Collector for Routes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let living = self.living();
        let mut requests = encoder.encode_descriptor(
            "requests",
            "Requests answered, by Ingress, backend and class of status",
            None,
            MetricType::Counter,
        )?;
        for (labels, counters) in &living {
            for (class, name) in CLASSES.iter().enumerate() {
                let count = |part: &Requests| part.classes[class].load(Ordering::Relaxed);
                let total: u64 = counters.parts().map(count).sum();
                if total > 0 {
                    let labels = ClassLabels {
                        route: labels,
                        class: name,
                    };
                    requests
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, u64>(&total, None)?;
                }
            }
        }
        let mut durations = encoder.encode_descriptor(
            "request_duration_seconds",
            "Time from a request's header section to the end of its response",
            None,
            MetricType::Histogram,
        )?;
        for (labels, counters) in &living {
            let parts = counters.parts().map(|part| &part.durations);
            Durations::encode(parts, durations.encode_family(labels)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct ClassLabels<'a> {
    route: &'a RouteLabels,
    class: &'static str,
}

impl EncodeLabelSet for ClassLabels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.route.encode(encoder)?;
        [("status", self.class)].encode(encoder)
    }
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
