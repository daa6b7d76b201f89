//! A route as it is served: who answers, with everything resolved that can be before a request comes.

use std::sync::Arc;

use http::HeaderMap;
use sluice_proto::{BackendName, Route};
use sluice_routing::Routed;

use crate::clock::unix_s;
use crate::metrics::RouteCounters;
use crate::policy::{Retry, RouteTimeouts, ServedPolicy};
use crate::serving::affinity::Affinity;
use crate::serving::backend::ServedBackend;
use crate::serving::endpoint::Endpoint;
use crate::serving::matcher::Matcher;
use crate::serving::settings::ServedSettings;

/// A route and who answers.
pub(crate) struct ServedRoute {
    pub(crate) route: Arc<Route>,
    pub(crate) answer: Answer,
    /// How a client comes back to the endpoint that it was with.
    pub(crate) affinity: Option<Affinity>,
    /// In the order in which they run.
    pub(crate) policies: Box<[Arc<ServedPolicy>]>,
    // Those of its class; `None` for those of the whole edge.
    settings: Option<Arc<ServedSettings>>,
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
    /// Requests that one of these finds go here, or never do, whatever the weights.
    pub(crate) matches: Box<[Matcher]>,
    // The sum of the weights up to and with this one.
    pub(crate) up_to: u64,
}

/// Where a request goes.
pub(crate) struct Drawn<'a> {
    pub(crate) share: &'a Share,
    /// The endpoint that the client was with.
    pub(crate) preferred: Option<Arc<Endpoint>>,
}

impl ServedRoute {
    pub(crate) fn new(
        route: Arc<Route>,
        answer: Answer,
        policies: Box<[Arc<ServedPolicy>]>,
        settings: Option<Arc<ServedSettings>>,
        certificate_ends_unix_s: Option<i64>,
    ) -> Self {
        Self {
            affinity: route.sticky.as_ref().map(Affinity::new),
            route,
            answer,
            timeouts: RouteTimeouts::of(&policies),
            policies,
            settings,
            certificate_ends_unix_s,
        }
    }

    /// Returns the settings that hold for it, where these are those of the whole edge.
    pub(crate) fn settings<'a>(&'a self, edge: &'a Arc<ServedSettings>) -> &'a ServedSettings {
        self.settings.as_ref().unwrap_or(edge)
    }

    /// Returns when its requests are sent again, if a policy says so; of several, the last one.
    pub(crate) fn retry(&self) -> Option<&Retry> {
        self.policies.iter().rev().find_map(|policy| policy.retry())
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

    /// Returns where a request goes: what finds it by a header or cookie comes first, then where the client was, then the
    /// weights. `None` if all weights are 0.
    pub(crate) fn draw(
        &self,
        headers: &HeaderMap,
        affinity: Option<&Affinity>,
    ) -> Option<Drawn<'_>> {
        let found = self.matched(headers);
        let known = affinity.and_then(|affinity| affinity.of(headers));
        let may_answer = |share: &&Share| match found {
            Matched::One(one) => std::ptr::eq(one, *share),
            Matched::AllBut(not) => !std::ptr::eq(not, *share),
            Matched::All => true,
        };
        let came_back = known.and_then(|known| {
            let mut shares = self.shares.iter().filter(may_answer);
            shares.find_map(|share| {
                let preferred = share.backend.as_ref()?.find(known);
                preferred.is_some().then_some(Drawn { share, preferred })
            })
        });
        came_back.or_else(|| {
            let share = match found {
                Matched::One(one) => Some(one),
                Matched::AllBut(not) => self.by_weight(Some(not)),
                Matched::All => self.by_weight(None),
            };
            share.map(|share| Drawn {
                share,
                preferred: None,
            })
        })
    }

    fn matched(&self, headers: &HeaderMap) -> Matched<'_> {
        for share in &self.shares {
            for matcher in &share.matches {
                if matcher.finds(headers) {
                    return match matcher.excludes() {
                        true => Matched::AllBut(share),
                        false => Matched::One(share),
                    };
                }
            }
        }
        Matched::All
    }

    fn by_weight(&self, excluded: Option<&Share>) -> Option<&Share> {
        let mut before = 0;
        let (mut from, mut left_out) = (self.total, 0);
        for share in &self.shares {
            if excluded.is_some_and(|excluded| std::ptr::eq(excluded, share)) {
                (from, left_out) = (before, share.up_to - before);
            }
            before = share.up_to;
        }
        let total = self.total - left_out;
        if total == 0 {
            return None;
        }
        if let [only] = &*self.shares {
            return Some(only);
        }
        let drawn = fastrand::u64(..total);
        // The excluded one's part of the line is stepped over.
        let drawn = if drawn < from {
            drawn
        } else {
            drawn + left_out
        };
        self.shares.iter().find(|share| drawn < share.up_to)
    }
}

#[derive(Clone, Copy)]
enum Matched<'a> {
    One(&'a Share),
    AllBut(&'a Share),
    All,
}
