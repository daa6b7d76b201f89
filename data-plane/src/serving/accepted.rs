//! The accepted resources: what a difference makes of them, and which of its resources cannot be accepted.
//!
//! No socket and no clock: the caller says what time it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{
    Backend, BackendName, Difference, Endpoint, Entry, Host, Kind, Listener, Policy, PolicyAction,
    Problem, Refusal, Resource, ResourceKey, Route, RouteAction, Settings, Snapshot,
};

use crate::causes::with_causes;
use crate::metrics::Metrics;
use crate::policy::{InvalidPolicy, ServedPolicy};
use crate::proxy::UnusableTls;
use crate::serving::backend::ServedBackend;
use crate::serving::build::Built;
use crate::serving::certificate::Certificates;
use crate::serving::matcher::{InvalidMatch, Matcher};
use crate::serving::settings::AllSettings;

/// Everything that was accepted, parsed, and the entries that it came in.
pub(crate) struct Accepted {
    pub(super) node: Arc<str>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) snapshot: Snapshot,
    pub(super) settings: AllSettings,
    pub(super) listeners: BTreeMap<Arc<str>, Listener>,
    pub(super) certificates: Certificates,
    pub(super) hosts: BTreeMap<Arc<str>, Host>,
    pub(super) backends: BTreeMap<Arc<str>, Arc<ServedBackend>>,
    pub(super) endpoints: BTreeMap<Arc<str>, Vec<Endpoint>>,
    pub(super) policies: BTreeMap<Arc<str>, Arc<ServedPolicy>>,
    pub(super) routes: BTreeMap<Arc<str>, Arc<Route>>,
    pub(super) built: Built,
}

/// What came of a difference.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// What could not be accepted.
    pub(crate) refused: Vec<Refusal>,
    /// Whether what is served must be built anew: anything but endpoints has changed.
    pub(crate) rebuild: bool,
    /// Backends that lose all of their endpoints: to be told once the new value is served, whose routes may no longer
    /// name them.
    pub(crate) emptied: Vec<Arc<str>>,
}

impl Accepted {
    pub(crate) fn new(node: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            node: node.into(),
            metrics,
            snapshot: Snapshot::default(),
            settings: AllSettings::default(),
            listeners: BTreeMap::new(),
            certificates: Certificates::default(),
            hosts: BTreeMap::new(),
            backends: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            policies: BTreeMap::new(),
            routes: BTreeMap::new(),
            built: Built::default(),
        }
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the settings of the whole edge.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings.edge().settings
    }

    pub(crate) const fn listeners(&self) -> &BTreeMap<Arc<str>, Listener> {
        &self.listeners
    }

    /// Takes a difference in. New endpoints of backends that stay are in force at once.
    pub(crate) fn apply(&mut self, difference: Difference, now_unix_s: i64) -> Applied {
        let mut applied = Applied::default();
        for key in difference.removed {
            self.remove(&key, &mut applied);
        }
        for (key, entry) in difference.upserted {
            if let Err(reason) = self.accept(&key, &entry, now_unix_s, &mut applied) {
                let refusal = Refusal::new(&key, entry.version(), reason);
                applied.refused.push(refusal);
            }
        }
        applied
    }

    /// Takes in what an earlier process held: first the certificates that it kept, so that they can be kept again.
    pub(crate) fn restore(
        &mut self,
        kept: &Snapshot,
        snapshot: &Snapshot,
        now_unix_s: i64,
    ) -> Applied {
        let _ = self.apply(kept.changes_since(&self.snapshot), now_unix_s);
        self.apply(snapshot.changes_since(&self.snapshot), now_unix_s)
    }

    /// Gives the backends that have none any more no endpoints.
    pub(crate) fn empty(&self, names: &[Arc<str>]) {
        for name in names {
            if let (Some(backend), None) = (self.backends.get(name), self.endpoints.get(name)) {
                backend.set_endpoints(&[], &self.node);
            }
        }
    }

    /// Returns the entries of certificates that are kept beyond their Secret.
    pub(crate) fn kept(&self) -> Snapshot {
        let kept = self.certificates.kept();
        kept.map(|(name, entry, _, _)| {
            let key = ResourceKey::new(Kind::Certificate, Arc::clone(name));
            (key, Arc::clone(entry))
        })
        .collect()
    }

    /// Returns a problem for each certificate that is kept beyond its Secret, and for each route that cannot be served here.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let of_routes = self
            .routes
            .values()
            .filter_map(|route| match &route.action {
                RouteAction::Unavailable(problem) if problem.code == UNSERVABLE => {
                    Some(problem.clone())
                }
                _ => None,
            });
        let kept = self.certificates.kept();
        let of_certificates = kept.map(|(name, _, why, ends)| Problem {
            object: why.object.clone(),
            field: why.field.clone(),
            code: "CertificateKept".to_owned(),
            message: format!(
                "{}; the earlier certificate {name} is still served and ends at {}",
                why.message,
                rfc3339(ends)
            ),
            remedy: why.remedy.clone(),
        });
        of_certificates.chain(of_routes).collect()
    }

    fn remove(&mut self, key: &ResourceKey, applied: &mut Applied) {
        if self.snapshot.remove(key).is_none() {
            return;
        }
        let name = &key.name;
        match key.kind {
            Kind::Listener => drop(self.listeners.remove(name)),
            Kind::Settings => self.settings.remove(name),
            Kind::Certificate => self.certificates.remove(name),
            Kind::Host => drop(self.hosts.remove(name)),
            Kind::Backend => drop(self.backends.remove(name)),
            Kind::Endpoints => {
                self.endpoints.remove(name);
                applied.emptied.push(Arc::clone(name));
                return;
            }
            Kind::Policy => drop(self.policies.remove(name)),
            Kind::Route => {
                let earlier = self.routes.remove(name);
                self.built.refers(name, earlier.as_deref(), None);
            }
        }
        self.built.changed(key);
        applied.rebuild = true;
    }

    fn accept(
        &mut self,
        key: &ResourceKey,
        entry: &Arc<Entry>,
        now_unix_s: i64,
        applied: &mut Applied,
    ) -> Result<(), String> {
        let parsed = Resource::parse(key, entry.body().clone()).map_err(|error| error.reason())?;
        let name = Arc::clone(&key.name);
        let is_endpoints = matches!(parsed, Resource::Endpoints(_));
        match parsed {
            Resource::Listener(listener) => drop(self.listeners.insert(name, listener)),
            Resource::Settings(settings) => self.settings.insert(*settings),
            Resource::Certificate(certificate) => {
                let earlier = self.snapshot.entry(key).map(Arc::clone);
                self.certificates
                    .insert(certificate, earlier, now_unix_s)
                    .map_err(|error| with_causes(&error))?;
            }
            Resource::Host(host) => drop(self.hosts.insert(name, host)),
            Resource::Backend(backend) => {
                self.insert_backend(name, &backend)
                    .map_err(|error| with_causes(&error))?;
            }
            Resource::Endpoints(endpoints) => {
                self.insert_endpoints(&endpoints.backend, endpoints.endpoints, applied);
            }
            Resource::Policy(policy) => {
                self.insert_policy(name, &policy)
                    .map_err(|error| with_causes(&error))?;
            }
            Resource::Route(route) => {
                let route = match check_matches(&route) {
                    Ok(()) => route,
                    Err(error) if self.routes.contains_key(&name) => {
                        return Err(with_causes(&error));
                    }
                    // Refused, it would leave its requests to a less specific route, which nothing may guard.
                    Err(error) => unavailable(&route, with_causes(&error)),
                };
                let earlier = self.routes.insert(Arc::clone(&name), Arc::clone(&route));
                self.built.refers(&name, earlier.as_deref(), Some(&route));
            }
        }
        self.built.changed(key);
        applied.rebuild |= !is_endpoints;
        self.snapshot.insert(key.clone(), Arc::clone(entry));
        Ok(())
    }

    fn insert_policy(&mut self, name: Arc<str>, policy: &Policy) -> Result<(), InvalidPolicy> {
        let earlier = self.policies.get(&name).map(|policy| &**policy);
        let served = ServedPolicy::new(policy, earlier)?;
        if matches!(policy.action, PolicyAction::ClientCertificate(_)) {
            self.built.handshakes_changed();
        }
        self.policies.insert(name, Arc::new(served));
        Ok(())
    }

    fn insert_backend(&mut self, name: Arc<str>, backend: &Backend) -> Result<(), UnusableTls> {
        let counters = self.metrics.backend(&name);
        let served = ServedBackend::new(backend, counters)?;
        if let Some(endpoints) = self.endpoints.get(&name) {
            served.set_endpoints(endpoints, &self.node);
        }
        self.backends.insert(name, Arc::new(served));
        Ok(())
    }

    fn insert_endpoints(
        &mut self,
        name: &BackendName,
        endpoints: Vec<Endpoint>,
        applied: &mut Applied,
    ) {
        let name = name.as_arc();
        if endpoints.is_empty() {
            self.endpoints.remove(name);
            applied.emptied.push(Arc::clone(name));
            return;
        }
        if let Some(backend) = self.backends.get(name) {
            backend.set_endpoints(&endpoints, &self.node);
        }
        self.endpoints.insert(Arc::clone(name), endpoints);
    }
}

/// Finds out whether the matches of a route can be compiled: what is built of it later has none that cannot.
fn check_matches(route: &Route) -> Result<(), InvalidMatch> {
    let RouteAction::Backends(backends) = &route.action else {
        return Ok(());
    };
    let mut matches = backends.iter().flat_map(|weighted| &weighted.matches);
    matches.try_for_each(|found| Matcher::new(found).map(drop))
}

/// Returns what stands in the place of a route that cannot be served here.
fn unavailable(route: &Route, reason: String) -> Arc<Route> {
    let problem = Problem {
        object: route.ingress.clone(),
        field: route.field.clone(),
        code: UNSERVABLE.to_owned(),
        message: format!("this node cannot serve the route: {reason}; it answers 503 there"),
        remedy: "Correct what says which requests go to which backend, or update the node"
            .to_owned(),
    };
    Arc::new(Route {
        action: RouteAction::Unavailable(problem),
        ..route.clone()
    })
}

const UNSERVABLE: &str = "RouteUnservable";

fn rfc3339(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| unix_s.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
