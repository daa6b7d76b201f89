//! Objects of Traefik as the API server has them: their metadata, and a specification that is not typed yet.
//!
//! It does not know what a specification means (`kept.rs`, `transport.rs`, `tls_option.rs`).

use k8s_openapi::NamespaceResourceScope;

use crate::custom::{Custom, CustomKind};

/// A Middleware of `traefik.io/v1alpha1`: its specification is an object with one field, whose name is the Middleware's kind.
pub type Middleware = Custom<MiddlewareKind>;

/// A ServersTransport of `traefik.io/v1alpha1`.
pub type ServersTransport = Custom<ServersTransportKind>;

/// A TLSOption of `traefik.io/v1alpha1`.
pub type TlsOption = Custom<TlsOptionKind>;

/// What Traefik is to do with requests.
#[derive(Debug)]
pub enum MiddlewareKind {}

/// How Traefik is to speak to endpoints.
#[derive(Debug)]
pub enum ServersTransportKind {}

/// How Traefik is to speak TLS with clients.
#[derive(Debug)]
pub enum TlsOptionKind {}

impl CustomKind for MiddlewareKind {
    type Scope = NamespaceResourceScope;
    const API_VERSION: &'static str = API_VERSION;
    const GROUP: &'static str = GROUP;
    const VERSION: &'static str = VERSION;
    const KIND: &'static str = "Middleware";
    const PLURAL: &'static str = "middlewares";
}

impl CustomKind for ServersTransportKind {
    type Scope = NamespaceResourceScope;
    const API_VERSION: &'static str = API_VERSION;
    const GROUP: &'static str = GROUP;
    const VERSION: &'static str = VERSION;
    const KIND: &'static str = "ServersTransport";
    const PLURAL: &'static str = "serverstransports";
}

impl CustomKind for TlsOptionKind {
    type Scope = NamespaceResourceScope;
    const API_VERSION: &'static str = API_VERSION;
    const GROUP: &'static str = GROUP;
    const VERSION: &'static str = VERSION;
    const KIND: &'static str = "TLSOption";
    const PLURAL: &'static str = "tlsoptions";
}

const API_VERSION: &str = "traefik.io/v1alpha1";
const GROUP: &str = "traefik.io";
const VERSION: &str = "v1alpha1";
