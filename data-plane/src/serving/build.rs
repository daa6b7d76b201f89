//! Builds what is served from the accepted resources.

use std::sync::Arc;

use sluice_proto::{Route, RouteAction, WeightedBackend};
use sluice_routing::{RouteTable, TrustedPeers};

use crate::metrics::RouteLabels;
use crate::serving::Served;
use crate::serving::accepted::Accepted;
use crate::serving::route::{Answer, ServedRoute, Share, Shares};

impl Accepted {
    /// Returns what is to be served.
    pub(crate) fn build(&self) -> Served {
        let kept = self.certificates.kept().count();
        self.metrics
            .set_certificates(self.certificates.expiries(), kept);
        let settings = Arc::clone(&self.settings);
        Served {
            routes: RouteTable::new(self.routes.values().map(|route| self.route(route))),
            certificates: (self.certificates)
                .table(self.hosts.values(), settings.missing_certificate),
            trusted: TrustedPeers::new(
                settings.trusted_ranges.clone(),
                &settings.client_address_header,
            ),
            settings,
        }
    }

    fn route(&self, route: &Arc<Route>) -> Arc<ServedRoute> {
        let certificate = route
            .certificate
            .as_ref()
            .map(|name| self.certificates.served(name));
        let ends_unix_s = match certificate {
            Some(Some((certificate, true))) => Some(certificate.not_after_unix_s),
            _ => None,
        };
        let answer = match &route.action {
            // A host whose Ingress asks for TLS must not be served without, or with another's certificate.
            _ if matches!(certificate, Some(None)) => self.unavailable(route, "CertificateMissing"),
            RouteAction::Unavailable(problem) => self.unavailable(route, &problem.code),
            RouteAction::Backends(backends) => Answer::Backends(self.shares(route, backends)),
        };
        Arc::new(ServedRoute::new(Arc::clone(route), answer, ends_unix_s))
    }

    fn unavailable(&self, route: &Route, code: &str) -> Answer {
        Answer::Unavailable {
            code: code.into(),
            counters: self.metrics.route(&labels(route, "none")),
        }
    }

    fn shares(&self, route: &Route, backends: &[WeightedBackend]) -> Shares {
        let mut up_to = 0;
        let share = |weighted: &WeightedBackend| {
            up_to += u64::from(weighted.weight);
            let name = weighted.backend.as_arc();
            Share {
                name: weighted.backend.clone(),
                backend: self.backends.get(name).map(Arc::clone),
                counters: self.metrics.route(&labels(route, name)),
                up_to,
            }
        };
        let shares = backends.iter().map(share).collect();
        Shares::new(shares, self.metrics.route(&labels(route, "none")))
    }
}

fn labels(route: &Route, backend: &str) -> RouteLabels {
    RouteLabels {
        namespace: route.ingress.namespace.clone(),
        ingress: route.ingress.name.clone(),
        backend: backend.to_owned(),
    }
}
