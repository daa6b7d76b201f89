//! What the served Ingresses refer to, counted, so that one Ingress more or less costs only what it names.

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};

use crate::objects::by_name::ByName;

/// How many references there are to each Service and Secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    services: ByName<usize>,
    secrets: ByName<usize>,
}

impl References {
    pub(crate) fn has_service(&self, namespace: &str, name: &str) -> bool {
        self.services.contains(namespace, name)
    }

    pub(crate) fn has_secret(&self, namespace: &str, name: &str) -> bool {
        self.secrets.contains(namespace, name)
    }

    pub(crate) fn add(&mut self, ingress: &Ingress) {
        let namespace = namespace(ingress);
        for service in services(ingress) {
            *self.services.entry_or_default(namespace, service) += 1;
        }
        for secret in secrets(ingress) {
            *self.secrets.entry_or_default(namespace, secret) += 1;
        }
    }

    pub(crate) fn remove(&mut self, ingress: &Ingress) {
        let namespace = namespace(ingress);
        for service in services(ingress) {
            release(&mut self.services, namespace, service);
        }
        for secret in secrets(ingress) {
            release(&mut self.secrets, namespace, secret);
        }
    }
}

/// Returns the Secrets that its `spec.tls` names, as often as it does.
pub(crate) fn secrets(ingress: &Ingress) -> impl Iterator<Item = &str> {
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

fn namespace(ingress: &Ingress) -> &str {
    ingress.metadata.namespace.as_deref().unwrap_or_default()
}

fn release(counts: &mut ByName<usize>, namespace: &str, name: &str) {
    let count = counts.entry_or_default(namespace, name);
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(namespace, name);
    }
}
