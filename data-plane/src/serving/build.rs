//! Builds what is served from the accepted resources: only what changed since the last time, and what depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;

use sluice_proto::{HostPattern, Kind, ResourceKey, Route, RouteAction, WeightedBackend};
use sluice_routing::{RouteTable, TrustedPeers};

use crate::metrics::RouteLabels;
use crate::serving::Served;
use crate::serving::accepted::Accepted;
use crate::serving::certificate::CertificateTable;
use crate::serving::matcher::Matcher;
use crate::serving::route::{Answer, ServedRoute, Share, Shares};

/// What was built last, and what has changed since.
#[derive(Default)]
pub(super) struct Built {
    table: RouteTable<Arc<ServedRoute>>,
    routes: BTreeMap<Arc<str>, Arc<ServedRoute>>,
    certificates: Arc<CertificateTable>,
    // The names of routes and hosts that changed, or what they refer to did.
    stale_routes: BTreeSet<Arc<str>>,
    stale_hosts: BTreeSet<Arc<str>>,
    stale_certificates: bool,
    // What routes refer to, and their names.
    users: BTreeSet<(ResourceKey, Arc<str>)>,
}

impl Built {
    /// Notes that this resource has changed.
    pub(super) fn changed(&mut self, key: &ResourceKey) {
        let name = Arc::clone(&key.name);
        match key.kind {
            Kind::Route => drop(self.stale_routes.insert(name)),
            Kind::Host => drop(self.stale_hosts.insert(name)),
            Kind::Settings => self.stale_certificates = true,
            Kind::Certificate => {
                self.stale_certificates = true;
                self.users_changed(key);
            }
            Kind::Backend | Kind::Policy => self.users_changed(key),
            Kind::Listener | Kind::Endpoints => {}
        }
    }

    /// Notes what a route refers to, instead of what its earlier version did.
    pub(super) fn refers(&mut self, name: &Arc<str>, earlier: Option<&Route>, now: Option<&Route>) {
        for key in earlier.into_iter().flat_map(references) {
            self.users.remove(&(key, Arc::clone(name)));
        }
        for key in now.into_iter().flat_map(references) {
            self.users.insert((key, Arc::clone(name)));
        }
    }

    fn users_changed(&mut self, key: &ResourceKey) {
        let users = self.users.range((key.clone(), Arc::from(""))..);
        let users = users.take_while(|(used, _)| used == key);
        self.stale_routes
            .extend(users.map(|(_, route)| Arc::clone(route)));
    }
}

fn references(route: &Route) -> Vec<ResourceKey> {
    let backends = match &route.action {
        RouteAction::Backends(backends) => &backends[..],
        RouteAction::Unavailable(_) => &[],
    };
    let backends = (backends.iter())
        .map(|weighted| ResourceKey::new(Kind::Backend, Arc::clone(weighted.backend.as_arc())));
    let certificate = (route.certificate.iter())
        .map(|name| ResourceKey::new(Kind::Certificate, Arc::clone(name.as_arc())));
    let policies = (route.policies.iter())
        .map(|name| ResourceKey::new(Kind::Policy, Arc::clone(name.as_arc())));
    backends.chain(certificate).chain(policies).collect()
}

impl Accepted {
    /// Returns what is to be served.
    pub(crate) fn build(&mut self) -> Served {
        self.build_routes();
        self.build_certificates();
        let settings = Arc::clone(&self.settings);
        Served {
            routes: self.built.table.clone(),
            certificates: Arc::clone(&self.built.certificates),
            trusted: TrustedPeers::new(
                settings.trusted_ranges.clone(),
                &settings.client_address_header,
            ),
            settings,
        }
    }

    fn build_routes(&mut self) {
        let mut removed = Vec::new();
        let mut added = Vec::new();
        for name in take(&mut self.built.stale_routes) {
            let new = self.routes.get(&name).map(|route| self.route(route));
            added.extend(new.iter().map(Arc::clone));
            removed.extend(match new {
                Some(new) => self.built.routes.insert(name, new),
                None => self.built.routes.remove(&name),
            });
        }
        if !removed.is_empty() || !added.is_empty() {
            let removed = removed.iter().map(|removed| &*removed.route);
            self.built.table = self.built.table.with(removed, added);
        }
    }

    fn build_certificates(&mut self) {
        let stale_hosts = take(&mut self.built.stale_hosts);
        if take(&mut self.built.stale_certificates) {
            let kept = self.certificates.kept().count();
            self.metrics
                .set_certificates(self.certificates.expiries(), kept);
            let missing = self.settings.missing_certificate;
            let table = self.certificates.table(self.hosts.values(), missing);
            self.built.certificates = Arc::new(table);
        } else if !stale_hosts.is_empty() {
            let table = Arc::make_mut(&mut self.built.certificates);
            for name in stale_hosts {
                match self.hosts.get(&name) {
                    Some(host) => table.insert(&host.pattern, self.certificates.of(host)),
                    // It was accepted, so it is one.
                    None => HostPattern::parse(&name)
                        .iter()
                        .for_each(|host| table.remove(host)),
                }
            }
        }
    }

    fn route(&self, route: &Arc<Route>) -> Arc<ServedRoute> {
        let certificate = route.certificate.as_ref();
        let certificate = certificate.map(|name| self.certificates.served(name));
        let ends_unix_s = match certificate {
            Some(Some((certificate, true))) => Some(certificate.not_after_unix_s),
            _ => None,
        };
        let policies: Option<Box<[_]>> = (route.policies.iter())
            .map(|name| self.policies.get(name.as_arc()).map(Arc::clone))
            .collect();
        let answer = match &route.action {
            // A host whose Ingress asks for TLS must not be served without, or with another's certificate.
            _ if matches!(certificate, Some(None)) => self.unavailable(route, "CertificateMissing"),
            RouteAction::Unavailable(problem) => self.unavailable(route, &problem.code),
            // Nor without its protection: it was refused, or is on its way still.
            _ if policies.is_none() => self.unavailable(route, "PolicyMissing"),
            RouteAction::Backends(backends) => Answer::Backends(self.shares(route, backends)),
        };
        let policies = policies.unwrap_or_default();
        Arc::new(ServedRoute::new(
            Arc::clone(route),
            answer,
            policies,
            ends_unix_s,
        ))
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
                // Those that cannot be compiled were refused with their route.
                matches: (weighted.matches.iter())
                    .filter_map(|found| Matcher::new(found).ok())
                    .collect(),
                up_to,
            }
        };
        Shares::new(backends.iter().map(share).collect())
    }
}

fn labels(route: &Route, backend: &str) -> RouteLabels {
    RouteLabels {
        namespace: route.ingress.namespace.clone(),
        ingress: route.ingress.name.clone(),
        backend: backend.to_owned(),
    }
}
