//! Which served Ingresses depend on what, however far away, so that a change costs only those that it concerns.
//!
//! ```text
//!     +--> TLSOption ------------------+
//!     |        +--> ServersTransport --+
//!     |        |                       v
//!  Ingress --> Service --> Middleware --> Secret
//!     |   \                ^  |    ^
//!     |    +---------------+  +----+ (a chain)
//!     +--> Policy --> Secret, Service (a canary, forward authentication)
//!     +--> Secret, Service (annotations)
//! ```
//!
//! It does not say what any of it means. What is not there is depended on, too: so that it is noticed when it comes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};

use crate::object;
use crate::objects::by_name::ByName;
use crate::objects::{Name, Objects};
use crate::policies;
use crate::traefik;

/// The Ingresses that depend on each object.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    services: ByName<BTreeSet<Name>>,
    secrets: ByName<BTreeSet<Name>>,
    /// By the id that they are named by.
    named: BTreeMap<traefik::Id, BTreeSet<Name>>,
    policies: ByName<BTreeSet<Name>>,
}

/// What an Ingress depends on.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Dependencies {
    services: BTreeSet<Name>,
    pub(super) secrets: BTreeSet<Name>,
    named: BTreeSet<traefik::Id>,
    policies: BTreeSet<Name>,
}

impl References {
    /// Returns the Ingresses that depend on a Service, sorted.
    pub(crate) fn to_service(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Name> {
        self.services.find(namespace, name).into_iter().flatten()
    }

    /// Returns the Ingresses that depend on a Secret, sorted.
    pub(crate) fn to_secret(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Name> {
        self.secrets.find(namespace, name).into_iter().flatten()
    }

    /// Returns the Ingresses that depend on an object of Traefik with this id, sorted.
    pub(crate) fn to_named(&self, id: &traefik::Id) -> impl Iterator<Item = &Name> {
        self.named.get(id).into_iter().flatten()
    }

    /// Returns the Ingresses that depend on a Policy, sorted.
    pub(crate) fn to_policy(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Name> {
        self.policies.find(namespace, name).into_iter().flatten()
    }

    /// Returns all Secrets (namespace, name) that Ingresses depend on, sorted.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&String, &String)> {
        self.secrets.names()
    }

    pub(super) fn add(&mut self, user: &Name, dependencies: &Dependencies) {
        for (namespace, name) in &dependencies.services {
            let users = self.services.entry_or_default(namespace, name);
            users.insert(user.clone());
        }
        for (namespace, name) in &dependencies.secrets {
            let users = self.secrets.entry_or_default(namespace, name);
            users.insert(user.clone());
        }
        for (namespace, name) in &dependencies.policies {
            let users = self.policies.entry_or_default(namespace, name);
            users.insert(user.clone());
        }
        for id in &dependencies.named {
            let users = self.named.entry(id.clone()).or_default();
            users.insert(user.clone());
        }
    }

    pub(super) fn remove(&mut self, user: &Name, dependencies: &Dependencies) {
        for (namespace, name) in &dependencies.services {
            release(&mut self.services, namespace, name, user);
        }
        for (namespace, name) in &dependencies.secrets {
            release(&mut self.secrets, namespace, name, user);
        }
        for (namespace, name) in &dependencies.policies {
            release(&mut self.policies, namespace, name, user);
        }
        for id in &dependencies.named {
            let left = self.named.get_mut(id);
            if left.is_some_and(|left| left.remove(user) && left.is_empty()) {
                self.named.remove(id);
            }
        }
    }
}

impl Dependencies {
    /// Returns what an Ingress depends on, as the objects are now.
    pub(super) fn of(ingress: &Ingress, objects: &Objects) -> Self {
        let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
        let own = |name: &str| (namespace.to_owned(), name.to_owned());
        let mut dependencies = Self {
            services: services(ingress).map(own).collect(),
            secrets: secrets(ingress).map(own).collect(),
            ..Self::default()
        };
        dependencies.add_policies(ingress, objects);
        let annotations = ingress.metadata.annotations.as_ref();
        let mut open: Vec<traefik::Id> = traefik::ids(annotations, "Ingress").collect();
        for (_, name) in &dependencies.services {
            let service = objects.service(namespace, name);
            let annotations = service.and_then(|service| service.metadata.annotations.as_ref());
            open.extend(traefik::ids(annotations, "Service"));
        }
        while let Some(id) = open.pop() {
            if !dependencies.named.insert(id.clone()) {
                continue;
            }
            for stored in objects.stored(&id) {
                let namespace = stored.namespace();
                let secrets = stored.secrets().into_iter();
                let secrets = secrets.map(|name| (namespace.to_owned(), name.to_owned()));
                dependencies.secrets.extend(secrets);
                open.extend(stored.ids());
            }
        }
        dependencies
    }

    /// Adds the Policies of an Ingress, and what they and its own annotations name.
    fn add_policies(&mut self, ingress: &Ingress, objects: &Objects) {
        let annotations = ingress.metadata.annotations.as_ref();
        let reference = object::reference(ingress, &ingress.metadata);
        let own = &reference.namespace;
        let of_class = objects.policies_of_class(ingress).iter();
        let of_class = of_class.map(|policy| (policy.namespace.as_str(), policy.name.as_str()));
        for (namespace, name) in of_class.chain(policies::named(annotations, own)) {
            self.policies
                .insert((namespace.to_owned(), name.to_owned()));
            if let Some(kept) = objects.policy(namespace, name) {
                self.add_named(kept, own);
            }
        }
        self.add_named(&policies::read_annotations(annotations, &reference), own);
    }

    fn add_named(&mut self, kept: &policies::Kept, own_namespace: &str) {
        let namespace = &kept.object.namespace;
        let secrets = kept
            .secrets()
            .map(|name| (namespace.clone(), name.to_owned()));
        self.secrets.extend(secrets);
        let services = kept
            .services(own_namespace)
            .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        self.services.extend(services);
    }
}

/// Returns the Secrets that its `spec.tls` names, as often as it does.
fn secrets(ingress: &Ingress) -> impl Iterator<Item = &str> {
    let entries = ingress
        .spec
        .iter()
        .flat_map(|spec| spec.tls.iter().flatten());
    let names = entries.filter_map(|entry| entry.secret_name.as_deref());
    names.filter(|name| !name.is_empty())
}

fn services(ingress: &Ingress) -> impl Iterator<Item = &str> {
    let backends = ingress.spec.iter().flat_map(|spec| {
        let rules = spec.rules.iter().flatten();
        let paths = rules.flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths));
        let backends = paths.map(|path| &path.backend);
        backends.chain(&spec.default_backend)
    });
    backends.filter_map(|backend: &IngressBackend| Some(backend.service.as_ref()?.name.as_str()))
}

fn release(users: &mut ByName<BTreeSet<Name>>, namespace: &str, name: &str, ingress: &Name) {
    let left = users.entry_or_default(namespace, name);
    left.remove(ingress);
    if left.is_empty() {
        users.remove(namespace, name);
    }
}
