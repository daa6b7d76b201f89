//! All readings beside each other: who wants which host, what became of each, and what is used.
//!
//! Every map shares what did not change with the one before it, so a copy costs nothing and a change of one Ingress costs
//! what it touches: its hosts with the others that want them, the Secrets and the backends that it names. It does not
//! decide anything: `reading.rs`, `hosts.rs` and `endpoints.rs` do.

mod relation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use sluice_proto::{
    BackendName, CertificateName, HostPattern, Kind, PolicyName, Problem, Resource, ResourceKey,
    Route,
};

use crate::backends::{UsedBackend, backends_of};
use crate::class::Classes;
use crate::endpoints::endpoints;
use crate::hosts::{SettledHost, wildcard};
use crate::merged::relation::Relation;
use crate::objects::{Changed, Name, Objects};
use crate::problem::Problems;
use crate::reading::{Reading, Seniority};
use crate::settings::ClassPolicies;
use crate::translation::{Options, Published};

/// All readings, and what became of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Merged {
    readings: OrdMap<Seniority, Arc<Reading>>,
    seniorities: OrdMap<Name, Seniority>,
    wanting: Relation<HostPattern, Seniority>,
    hosts: OrdMap<HostPattern, Arc<SettledHost>>,
    certificate_users: Relation<CertificateName, Seniority>,
    policy_users: Relation<PolicyName, Seniority>,
    /// With the name of the route that names the backend, and got its path.
    backend_users: Relation<BackendName, (Seniority, Arc<str>)>,
    backends: OrdMap<BackendName, UsedBackend>,
    /// Of each Service, those that take its endpoints.
    backends_of_service: Relation<Name, BackendName>,
    endpoint_problems: OrdMap<Name, Arc<Problems>>,
    /// How many of the above have each problem.
    problems: OrdMap<Arc<Problem>, usize>,
}

/// What must be looked at again.
#[derive(Debug, Default)]
struct Touched {
    hosts: BTreeSet<HostPattern>,
    certificates: BTreeSet<CertificateName>,
    policies: BTreeSet<PolicyName>,
    backends: BTreeSet<BackendName>,
    services: BTreeSet<Name>,
}

impl Merged {
    /// Takes in what changed, and brings what is published to it.
    pub(crate) fn update(
        &mut self,
        objects: &Objects,
        options: &Options,
        policies: &ClassPolicies,
        changed: Changed,
        published: &mut Published,
    ) {
        let mut touched = Touched {
            services: changed.services,
            ..Touched::default()
        };
        let classes = Classes::new(objects.classes(), &options.settings.ingress.controllers);
        for name in changed.ingresses {
            let ingress = objects.ingress(&name);
            let new =
                ingress.and_then(|own| Reading::of(own, &classes, objects, options, policies));
            self.put_reading(name, new, &mut touched);
        }
        let across_namespaces = options.settings.ingress.hosts_across_namespaces;
        self.settle_hosts(across_namespaces, &mut touched, published);
        for name in std::mem::take(&mut touched.certificates) {
            self.settle_certificate(name, published);
        }
        for name in std::mem::take(&mut touched.policies) {
            self.settle_policy(name, published);
        }
        for name in std::mem::take(&mut touched.backends) {
            self.settle_backend(name, &mut touched, published);
        }
        for service in touched.services {
            self.settle_endpoints(objects, service, published);
        }
    }

    /// Adds a problem that none of the objects has that are merged here.
    pub(crate) fn add_problems(&mut self, problems: &Problems) {
        for problem in problems.iter() {
            *self.problems.entry(Arc::new(problem.clone())).or_default() += 1;
        }
    }

    /// Returns all problems, sorted; each once.
    pub(crate) const fn problems(&self) -> &OrdMap<Arc<Problem>, usize> {
        &self.problems
    }

    fn remove_problems(&mut self, problems: &Problems) {
        for problem in problems.iter() {
            match self.problems.get_mut(problem) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.problems.remove(problem)),
            }
        }
    }

    fn put_reading(&mut self, name: Name, new: Option<Reading>, touched: &mut Touched) {
        let earlier = self.seniorities.get(&name).cloned();
        let old = earlier.as_ref().and_then(|own| self.readings.get(own));
        let old = old.map(Arc::clone);
        if old.as_deref() == new.as_ref() {
            return;
        }
        if let (Some(old), Some(seniority)) = (old, earlier) {
            self.readings.remove(&seniority);
            self.seniorities.remove(&name);
            for host in old.hosts() {
                self.wanting.remove(host.clone(), seniority.clone());
            }
            for certificate in old.certificates.keys() {
                self.certificate_users
                    .remove(certificate.clone(), seniority.clone());
            }
            for policy in old.policies.keys() {
                self.policy_users.remove(policy.clone(), seniority.clone());
            }
            self.remove_problems(&old.problems);
            touched.by(&old);
        }
        if let Some(new) = new {
            let seniority = new.seniority();
            for host in new.hosts() {
                self.wanting.insert(host.clone(), seniority.clone());
            }
            for certificate in new.certificates.keys() {
                self.certificate_users
                    .insert(certificate.clone(), seniority.clone());
            }
            for policy in new.policies.keys() {
                self.policy_users.insert(policy.clone(), seniority.clone());
            }
            self.add_problems(&new.problems);
            touched.by(&new);
            self.seniorities.insert(name, seniority.clone());
            self.readings.insert(seniority, Arc::new(new));
        }
    }

    fn settle_hosts(
        &mut self,
        across_namespaces: bool,
        touched: &mut Touched,
        published: &mut Published,
    ) {
        let hosts = std::mem::take(&mut touched.hosts).into_iter();
        let (wildcards, mut others): (BTreeSet<_>, BTreeSet<_>) =
            hosts.partition(|host| matches!(host, HostPattern::Wildcard(_)));
        // Wildcards first: the hosts below one depend on it.
        let mut changed = BTreeSet::new();
        for host in wildcards {
            if self.settle_host(&host, across_namespaces, touched, published) {
                changed.insert(host);
            }
        }
        if !changed.is_empty() {
            let is_below = |host: &&HostPattern| {
                wildcard(host).is_some_and(|wildcard| changed.contains(&wildcard))
            };
            others.extend(self.hosts.keys().filter(is_below).cloned());
        }
        for host in others {
            self.settle_host(&host, across_namespaces, touched, published);
        }
    }

    /// Returns whether the hosts below this one may be others now.
    fn settle_host(
        &mut self,
        pattern: &HostPattern,
        across_namespaces: bool,
        touched: &mut Touched,
        published: &mut Published,
    ) -> bool {
        let wanting: Vec<&Reading> = (self.wanting.of(pattern))
            .filter_map(|seniority| self.readings.get(seniority))
            .map(|reading| &**reading)
            .collect();
        let above = wildcard(pattern).and_then(|wildcard| self.hosts.get(&wildcard));
        let above = above.map(|above| above.below());
        let new = SettledHost::of(pattern, &wanting, above, across_namespaces).map(Arc::new);
        let old = match &new {
            Some(new) => self.hosts.insert(pattern.clone(), Arc::clone(new)),
            None => self.hosts.remove(pattern),
        };
        let none = BTreeMap::new();
        let before = old.as_ref().map_or(&none, |old| &old.routes);
        let after = new.as_ref().map_or(&none, |new| &new.routes);
        for (name, route) in before {
            if after.get(name) != Some(route) {
                self.forget_route(route, touched);
            }
            if !after.contains_key(name) {
                published.remove(&ResourceKey::new(Kind::Route, Arc::clone(name)));
            }
        }
        for (name, route) in after {
            if before.get(name) != Some(route) {
                self.note_route(route, touched);
                published.put(Resource::Route(Arc::clone(route)));
            }
        }
        if let Some(old) = &old {
            self.remove_problems(&old.problems);
        }
        match &new {
            Some(new) => {
                self.add_problems(&new.problems);
                published.put(Resource::Host(new.host.clone()));
            }
            None => published.remove(&ResourceKey::new(Kind::Host, pattern.to_string())),
        }
        old.as_ref().map(|old| old.below()) != new.as_ref().map(|new| new.below())
    }

    fn note_route(&mut self, route: &Route, touched: &mut Touched) {
        for backend in backends_of(route) {
            let user = (Seniority::of(route), Arc::clone(&route.name));
            self.backend_users.insert(backend.clone(), user);
            touched.backends.insert(backend.clone());
        }
    }

    fn forget_route(&mut self, route: &Route, touched: &mut Touched) {
        for backend in backends_of(route) {
            let user = (Seniority::of(route), Arc::clone(&route.name));
            self.backend_users.remove(backend.clone(), user);
            touched.backends.insert(backend.clone());
        }
    }

    /// Of the Ingresses that name a Secret, the one that counts most says why it cannot be used.
    fn settle_certificate(&self, name: CertificateName, published: &mut Published) {
        let first = self.certificate_users.of(&name).next();
        let reading = first.and_then(|seniority| self.readings.get(seniority));
        match reading.and_then(|reading| reading.certificates.get(&name)) {
            Some(certificate) => published.put(Resource::Certificate(certificate.clone())),
            None => published.remove(&ResourceKey::new(Kind::Certificate, name.as_arc().clone())),
        }
    }

    /// All Ingresses that name a policy have read the same of it.
    fn settle_policy(&self, name: PolicyName, published: &mut Published) {
        let first = self.policy_users.of(&name).next();
        let reading = first.and_then(|seniority| self.readings.get(seniority));
        match reading.and_then(|reading| reading.policies.get(&name)) {
            Some(policy) => published.put(Resource::Policy(Arc::clone(policy))),
            None => published.remove(&ResourceKey::new(Kind::Policy, name.as_arc().clone())),
        }
    }

    fn settle_backend(
        &mut self,
        name: BackendName,
        touched: &mut Touched,
        published: &mut Published,
    ) {
        let first = self.backend_users.of(&name).next();
        let reading = first.and_then(|(seniority, _)| self.readings.get(seniority));
        let new = reading
            .and_then(|reading| reading.backends.get(&name))
            .cloned();
        let old = match &new {
            Some(new) => self.backends.insert(name.clone(), new.clone()),
            None => self.backends.remove(&name),
        };
        if old == new {
            return;
        }
        let key = |kind| ResourceKey::new(kind, name.as_arc().clone());
        match &new {
            Some(new) => published.put(Resource::Backend(new.backend.clone())),
            None => published.remove(&key(Kind::Backend)),
        }
        let service = |used: Option<UsedBackend>| used?.served.map(|(service, _)| service);
        let (old, new) = (service(old), service(new));
        if new.is_none() {
            published.remove(&key(Kind::Endpoints));
        }
        if let Some(old) = old {
            self.backends_of_service.remove(old.clone(), name.clone());
            touched.services.insert(old);
        }
        if let Some(new) = new {
            self.backends_of_service.insert(new.clone(), name);
            touched.services.insert(new);
        }
    }

    /// Finds the endpoints of a Service anew, if a route names it.
    fn settle_endpoints(&mut self, objects: &Objects, service: Name, published: &mut Published) {
        let mut problems = Problems::new();
        let (namespace, name) = &service;
        for backend in self.backends_of_service.of(&service) {
            let used = self.backends.get(backend);
            if let Some((_, port)) = used.and_then(|used| used.served.as_ref()) {
                let found = endpoints(objects, namespace, name, port, &mut problems);
                published.put(Resource::Endpoints(found));
            }
        }
        if let Some(old) = self.endpoint_problems.remove(&service) {
            self.remove_problems(&old);
        }
        if !problems.is_empty() {
            self.add_problems(&problems);
            self.endpoint_problems.insert(service, Arc::new(problems));
        }
    }
}

impl Touched {
    fn by(&mut self, reading: &Reading) {
        self.hosts.extend(reading.hosts().into_iter().cloned());
        self.certificates
            .extend(reading.certificates.keys().cloned());
        self.policies.extend(reading.policies.keys().cloned());
        self.backends.extend(reading.backends.keys().cloned());
    }
}
