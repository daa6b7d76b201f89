//! A route as it is served: who answers, with everything resolved that can be before a request comes.

use std::sync::Arc;

use sluice_proto::{BackendName, Route};
use sluice_routing::Routed;

use crate::clock::unix_s;
use crate::metrics::RouteCounters;
use crate::policy::{RouteTimeouts, ServedPolicy};
use crate::serving::backend::ServedBackend;

/// A route and who answers.
pub(crate) struct ServedRoute {
    pub(crate) route: Arc<Route>,
    pub(crate) answer: Answer,
    /// In the order in which they run.
    pub(crate) policies: Box<[Arc<ServedPolicy>]>,
    /// What they say of how long things may take.
    pub(crate) timeouts: RouteTimeouts,
    // Until when the certificate kept beyond its Secret is valid.
    certificate_ends_unix_s: Option<i64>,
}

/// Who answers the requests of a route.
pub(crate) enum Answer {
    /// These, by weight.
    Backends(Shares),
    /// Nobody: 503.
    Unavailable {
        /// The problem's code, for log and metrics.
        code: Arc<str>,
        counters: Arc<RouteCounters>,
    },
}

/// The backends of a route, drawn by weight.
pub(crate) struct Shares {
    shares: Box<[Share]>,
    total: u64,
}

/// One backend of a route.
pub(crate) struct Share {
    pub(crate) name: BackendName,
    /// The backend, if there is one of this name.
    pub(crate) backend: Option<Arc<ServedBackend>>,
    pub(crate) counters: Arc<RouteCounters>,
    // The sum of the weights up to and with this one.
    pub(crate) up_to: u64,
}

impl ServedRoute {
    pub(crate) fn new(
        route: Arc<Route>,
        answer: Answer,
        policies: Box<[Arc<ServedPolicy>]>,
        certificate_ends_unix_s: Option<i64>,
    ) -> Self {
        Self {
            route,
            answer,
            timeouts: RouteTimeouts::of(&policies),
            policies,
            certificate_ends_unix_s,
        }
    }

    /// Returns whether its certificate was kept beyond its Secret and has ended since.
    pub(crate) fn certificate_has_ended(&self) -> bool {
        self.certificate_ends_unix_s
            .is_some_and(|ends| ends < unix_s())
    }
}

impl Routed for ServedRoute {
    fn route(&self) -> &Route {
        &self.route
    }
}

impl Shares {
    /// Returns these shares, whose `up_to` grows by their weights.
    pub(crate) fn new(shares: Vec<Share>) -> Self {
        let total = shares.last().map_or(0, |share| share.up_to);
        Self {
            shares: shares.into(),
            total,
        }
    }

    /// Returns the first share, which counts what none answers.
    pub(crate) fn first(&self) -> Option<&Share> {
        self.shares.first()
    }

    /// Returns the share that the next request falls to; `None` if all weights are 0.
    pub(crate) fn draw(&self) -> Option<&Share> {
        match &*self.shares {
            [only] if self.total > 0 => Some(only),
            shares if self.total > 0 => {
                let drawn = fastrand::u64(..self.total);
                shares.iter().find(|share| drawn < share.up_to)
            }
            _ => None,
        }
    }
}
