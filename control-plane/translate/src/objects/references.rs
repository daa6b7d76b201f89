//! Which served Ingresses refer to what, so that a change costs only those that it concerns.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};

use crate::objects::by_name::ByName;

/// The names of the Ingresses that refer to each Service and Secret. They are in the same namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    services: ByName<BTreeSet<String>>,
    secrets: ByName<BTreeSet<String>>,
}

impl References {
    /// Returns the names of the Ingresses that refer to a Service, sorted.
    pub(crate) fn to_service(&self, namespace: &str, name: &str) -> impl Iterator<Item = &String> {
        self.services.find(namespace, name).into_iter().flatten()
    }

    /// Returns the names of the Ingresses that refer to a Secret, sorted.
    pub(crate) fn to_secret(&self, namespace: &str, name: &str) -> impl Iterator<Item = &String> {
        self.secrets.find(namespace, name).into_iter().flatten()
    }

    /// Returns all Secrets (namespace, name) that Ingresses refer to, sorted.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&String, &String)> {
        self.secrets.names()
    }

    pub(crate) fn add(&mut self, ingress: &Ingress) {
        let (namespace, own) = name(ingress);
        for service in services(ingress) {
            let users = self.services.entry_or_default(namespace, service);
            users.insert(own.to_owned());
        }
        for secret in secrets(ingress) {
            let users = self.secrets.entry_or_default(namespace, secret);
            users.insert(own.to_owned());
        }
    }

    pub(crate) fn remove(&mut self, ingress: &Ingress) {
        let (namespace, own) = name(ingress);
        for service in services(ingress) {
            release(&mut self.services, namespace, service, own);
        }
        for secret in secrets(ingress) {
            release(&mut self.secrets, namespace, secret, own);
        }
    }
}

/// Returns the Secrets that its `spec.tls` names, as often as it does.
pub(super) fn secrets(ingress: &Ingress) -> impl Iterator<Item = &str> {
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

fn name(ingress: &Ingress) -> (&str, &str) {
    let metadata = &ingress.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    (namespace, metadata.name.as_deref().unwrap_or_default())
}

fn release(users: &mut ByName<BTreeSet<String>>, namespace: &str, name: &str, ingress: &str) {
    let left = users.entry_or_default(namespace, name);
    left.remove(ingress);
    if left.is_empty() {
        users.remove(namespace, name);
    }
}
