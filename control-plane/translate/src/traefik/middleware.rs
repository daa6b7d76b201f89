//! A Middleware as the API server has it: its metadata, and a specification that is not typed yet.
//!
//! It does not know what the specification means (`kept.rs`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use serde::Deserialize;

/// A Middleware of `traefik.io/v1alpha1`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(from = "Written")]
pub struct Middleware {
    /// Its name and namespace.
    pub metadata: ObjectMeta,
    /// What it says: an object with one field, whose name is the Middleware's kind.
    pub spec: serde_json::Value,
}

/// A Middleware with what says that it is one.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: serde_json::Value,
}

impl From<Written> for Middleware {
    fn from(Written { metadata, spec, .. }: Written) -> Self {
        Self { metadata, spec }
    }
}

impl Resource for Middleware {
    const API_VERSION: &'static str = "traefik.io/v1alpha1";
    const GROUP: &'static str = "traefik.io";
    const KIND: &'static str = "Middleware";
    const VERSION: &'static str = "v1alpha1";
    const URL_PATH_SEGMENT: &'static str = "middlewares";
    type Scope = NamespaceResourceScope;
}

impl Metadata for Middleware {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
