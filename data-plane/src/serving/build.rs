//! Builds what is served from the accepted resources: only what changed since the last time, and what depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;

use sluice_proto::{Host, HostPattern, Kind, ResourceKey, Route, RouteAction, WeightedBackend};
use sluice_routing::RouteTable;

use crate::metrics::RouteLabels;
use crate::serving::Served;
use crate::serving::accepted::Accepted;
use crate::serving::certificate::{CertificateTable, HostTls};
use crate::serving::matcher::Matcher;
use crate::serving::route::{Answer, ServedRoute, Share, Shares};
use crate::tls::asking;

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
            Kind::Settings | Kind::Certificate => {
                self.stale_certificates = true;
                self.users_changed(key);
            }
            Kind::Backend | Kind::Policy => self.users_changed(key),
            Kind::Listener | Kind::Endpoints => {}
        }
    }

    /// Notes that TLS clients of some hosts are to be spoken to in another way.
    pub(super) const fn handshakes_changed(&mut self) {
        self.stale_certificates = true;
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
    // The edge's are looked up for each request: a change of them concerns no route.
    let settings = (!route.settings.is_edge())
        .then(|| ResourceKey::new(Kind::Settings, route.settings.as_str()));
    let others = certificate.into_iter().chain(policies).chain(settings);
    backends.chain(others).collect()
}

impl Accepted {
    /// Returns what is to be served.
    pub(crate) fn build(&mut self) -> Served {
        self.build_routes();
        self.build_certificates();
        Served {
            routes: self.built.table.clone(),
            certificates: Arc::clone(&self.built.certificates),
            edge: Arc::clone(self.settings.edge()),
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
            let edge = &self.settings.edge().settings;
            let mut table = CertificateTable::new(self.certificates.of_others(edge));
            for host in self.hosts.values() {
                table.insert(&host.pattern, self.host_tls(host));
            }
            self.built.certificates = Arc::new(table);
        } else if !stale_hosts.is_empty() {
            let mut table = CertificateTable::clone(&self.built.certificates);
            for name in stale_hosts {
                match self.hosts.get(&name) {
                    Some(host) => table.insert(&host.pattern, self.host_tls(host)),
                    // It was accepted, so it is one.
                    None => HostPattern::parse(&name)
                        .iter()
                        .for_each(|host| table.remove(host)),
                }
            }
            self.built.certificates = Arc::new(table);
        }
    }

    fn host_tls(&self, host: &Host) -> HostTls {
        // Without the settings of its class its routes answer 503: the edge's are as good as any.
        let own = self.settings.find(&host.settings);
        let settings = own.unwrap_or_else(|| self.settings.edge());
        let mut tls = self.certificates.of(host, &settings.settings);
        tls.minimum = tls.minimum.max(host.tls_minimum_version);
        if let (Some(certificate), false) = (&tls.certificate, host.client_certificates.is_empty())
        {
            let policies = host.client_certificates.iter();
            let policies = policies.filter_map(|name| self.policies.get(name.as_arc()));
            let named: Vec<_> = policies.map(|policy| policy.client_authorities()).collect();
            // Where one of them takes a certificate of anybody, clients must not choose among those of the others.
            let authorities = if named.iter().any(|own| own.is_empty()) {
                Vec::new()
            } else {
                named.concat()
            };
            tls.asking = asking(Arc::clone(certificate), tls.minimum, authorities).ok();
        }
        tls
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
        let settings = self.settings.find(&route.settings);
        let answer = match &route.action {
            // Others might trust whom its class does not.
            _ if settings.is_none() => self.unavailable(route, "SettingsMissing"),
            // A host whose Ingress asks for TLS must not be served without, or with another's certificate.
            _ if matches!(certificate, Some(None)) => self.unavailable(route, "CertificateMissing"),
            RouteAction::Unavailable(problem) => self.unavailable(route, &problem.code),
            // Nor without its protection: it was refused, or is on its way still.
            _ if policies.is_none() => self.unavailable(route, "PolicyMissing"),
            RouteAction::Backends(backends) => Answer::Backends(self.shares(route, backends)),
        };
        let settings = settings.filter(|_| !route.settings.is_edge());
        Arc::new(ServedRoute::new(
            Arc::clone(route),
            answer,
            policies.unwrap_or_default(),
            settings.map(Arc::clone),
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
