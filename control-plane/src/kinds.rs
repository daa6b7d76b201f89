//! How the API server names the kinds of objects that Sluice reads.
//!
//! It does not ask the API server anything.

use k8s_openapi::api::core::v1::{Node, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::ApiResource;
use sluice_translate::{Custom, Middleware, PolicyKind, ServersTransport, SettingsKind, TlsOption};

pub(crate) const INGRESS_CLASS: &str = "IngressClass";
pub(crate) const INGRESS: &str = "Ingress";
pub(crate) const SERVICE: &str = "Service";
pub(crate) const ENDPOINT_SLICE: &str = "EndpointSlice";
pub(crate) const SECRET: &str = "Secret";
pub(crate) const NODE: &str = "Node";
pub(crate) const SETTINGS: &str = "Settings";
pub(crate) const POLICY: &str = "Policy";
pub(crate) const MIDDLEWARE: &str = "Middleware";
pub(crate) const SERVERS_TRANSPORT: &str = "ServersTransport";
pub(crate) const TLS_OPTION: &str = "TLSOption";
/// The kinds that what is served need not wait for: the API server may not know them, or forbid them.
const OPTIONAL: [&str; 6] = [
    NODE,
    SETTINGS,
    POLICY,
    MIDDLEWARE,
    SERVERS_TRANSPORT,
    TLS_OPTION,
];

/// Returns whether what is served need not wait for objects of this kind.
pub(crate) fn is_optional(kind: &str) -> bool {
    OPTIONAL.contains(&kind)
}

/// Returns group, version and plural of a kind, if Sluice reads it.
pub(crate) fn resource(kind: &str) -> Option<ApiResource> {
    Some(match kind {
        INGRESS_CLASS => ApiResource::erase::<IngressClass>(&()),
        INGRESS => ApiResource::erase::<Ingress>(&()),
        SERVICE => ApiResource::erase::<Service>(&()),
        ENDPOINT_SLICE => ApiResource::erase::<EndpointSlice>(&()),
        SECRET => ApiResource::erase::<Secret>(&()),
        NODE => ApiResource::erase::<Node>(&()),
        SETTINGS => ApiResource::erase::<Custom<SettingsKind>>(&()),
        POLICY => ApiResource::erase::<Custom<PolicyKind>>(&()),
        MIDDLEWARE => ApiResource::erase::<Middleware>(&()),
        SERVERS_TRANSPORT => ApiResource::erase::<ServersTransport>(&()),
        TLS_OPTION => ApiResource::erase::<TlsOption>(&()),
        _ => return None,
    })
}
