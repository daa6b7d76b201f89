//! A Middleware as the API server has it: its metadata, and a specification that is not typed yet.
//!
//! It does not know what the specification means (`kept.rs`).

use k8s_openapi::NamespaceResourceScope;

use crate::custom::{Custom, CustomKind};

/// A Middleware of `traefik.io/v1alpha1`: its specification is an object with one field, whose name is the Middleware's kind.
pub type Middleware = Custom<MiddlewareKind>;

/// What Traefik is to do with requests.
#[derive(Debug)]
pub enum MiddlewareKind {}

impl CustomKind for MiddlewareKind {
    type Scope = NamespaceResourceScope;
    const API_VERSION: &'static str = "traefik.io/v1alpha1";
    const GROUP: &'static str = "traefik.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "Middleware";
    const PLURAL: &'static str = "middlewares";
}
