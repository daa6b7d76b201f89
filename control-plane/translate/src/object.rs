//! A Kubernetes object of one of the kinds that translation reads.
//!
//! It does not know which objects there are: see [`crate::Objects`].

use std::fmt;

use k8s_openapi::Resource;
use k8s_openapi::api::core::v1::{Node, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sluice_proto::ObjectReference;

use crate::custom::{Custom, PolicyKind, SettingsKind};
use crate::traefik::{Middleware, ServersTransport, TlsOption};

/// A Kubernetes object of one of the kinds that translation reads. `Debug` shows only which.
#[derive(Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "on its way from a source to the objects, never kept"
)]
pub enum Object {
    /// Which controller serves the Ingresses of a class.
    IngressClass(IngressClass),
    /// What users want to be reached under which hosts and paths.
    Ingress(Ingress),
    /// What they want to be reached.
    Service(Service),
    /// Where a Service's pods are.
    EndpointSlice(EndpointSlice),
    /// Certificates and keys.
    Secret(Secret),
    /// Settings of the whole edge, or of classes.
    Settings(Custom<SettingsKind>),
    /// What is done to requests and responses.
    Policy(Custom<PolicyKind>),
    /// A machine: from its addresses, and those of its pods, comes who may read metrics.
    Node(Node),
    /// What Traefik is to do with requests.
    Middleware(Middleware),
    /// How Traefik is to speak to endpoints.
    ServersTransport(ServersTransport),
    /// How Traefik is to speak TLS with clients.
    TlsOption(TlsOption),
}

impl Object {
    /// Returns its kind, namespace (empty for a cluster-scoped object) and name.
    #[must_use]
    pub fn reference(&self) -> ObjectReference {
        match self {
            Self::IngressClass(class) => reference(class, &class.metadata),
            Self::Ingress(ingress) => reference(ingress, &ingress.metadata),
            Self::Service(service) => reference(service, &service.metadata),
            Self::EndpointSlice(slice) => reference(slice, &slice.metadata),
            Self::Secret(secret) => reference(secret, &secret.metadata),
            Self::Settings(settings) => reference(settings, &settings.metadata),
            Self::Policy(policy) => reference(policy, &policy.metadata),
            Self::Node(node) => reference(node, &node.metadata),
            Self::Middleware(middleware) => reference(middleware, &middleware.metadata),
            Self::ServersTransport(transport) => reference(transport, &transport.metadata),
            Self::TlsOption(option) => reference(option, &option.metadata),
        }
    }
}

// A Secret must not reach a log through `{:?}`.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({})", self.reference())
    }
}

pub(crate) fn reference<K: Resource>(_: &K, metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        kind: K::KIND.to_owned(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}
