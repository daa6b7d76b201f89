//! Objects of kinds that a CustomResourceDefinition adds to an API server, as they come: their spec is not read yet.
//!
//! A spec is typed only by whoever reads it, field by field: what is broken in one field must not cost the others, and
//! a whole object that does not fit its type could not even be watched.

use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{
    ClusterResourceScope, Metadata, NamespaceResourceScope, Resource, ResourceScope,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A kind that a CustomResourceDefinition adds.
pub trait CustomKind: 'static {
    /// Whether its objects are in namespaces.
    type Scope: ResourceScope;
    /// Group and version, with a slash between.
    const API_VERSION: &'static str;
    /// The group.
    const GROUP: &'static str;
    /// The version.
    const VERSION: &'static str;
    /// The kind.
    const KIND: &'static str;
    /// How the API server's paths name it.
    const PLURAL: &'static str;
}

/// An object of such a kind.
pub struct Custom<K> {
    /// Its name, and more.
    pub metadata: ObjectMeta,
    /// What it says.
    pub spec: Value,
    kind: PhantomData<fn() -> K>,
}

/// Settings of the whole edge, or of the classes that name them.
#[derive(Debug)]
pub enum SettingsKind {}

impl CustomKind for SettingsKind {
    type Scope = ClusterResourceScope;
    const API_VERSION: &'static str = "ingress.sluice.dev/v1alpha1";
    const GROUP: &'static str = "ingress.sluice.dev";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "Settings";
    const PLURAL: &'static str = "settings";
}

/// What is done to requests and responses.
#[derive(Debug)]
pub enum PolicyKind {}

impl CustomKind for PolicyKind {
    type Scope = NamespaceResourceScope;
    const API_VERSION: &'static str = "ingress.sluice.dev/v1alpha1";
    const GROUP: &'static str = "ingress.sluice.dev";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "Policy";
    const PLURAL: &'static str = "policies";
}

impl<K> Custom<K> {
    /// Returns the object of this name and content.
    #[must_use]
    pub fn new(metadata: ObjectMeta, spec: Value) -> Self {
        Self {
            metadata,
            spec,
            kind: PhantomData,
        }
    }

    /// Returns the object without what nobody reads.
    pub(crate) fn stripped(self) -> Self {
        Self {
            metadata: ObjectMeta {
                name: self.metadata.name,
                namespace: self.metadata.namespace,
                creation_timestamp: self.metadata.creation_timestamp,
                ..ObjectMeta::default()
            },
            ..self
        }
    }
}

impl<K: CustomKind> Resource for Custom<K> {
    type Scope = K::Scope;
    const API_VERSION: &'static str = K::API_VERSION;
    const GROUP: &'static str = K::GROUP;
    const KIND: &'static str = K::KIND;
    const URL_PATH_SEGMENT: &'static str = K::PLURAL;
    const VERSION: &'static str = K::VERSION;
}

impl<K: CustomKind> Metadata for Custom<K> {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<'de, K> Deserialize<'de> for Custom<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        Ok(Self::new(read.metadata, read.spec))
    }
}

// What a derive would do asks of `K` what it does not need.
impl<K> Clone for Custom<K> {
    fn clone(&self) -> Self {
        Self::new(self.metadata.clone(), self.spec.clone())
    }
}

impl<K> PartialEq for Custom<K> {
    fn eq(&self, other: &Self) -> bool {
        self.metadata == other.metadata && self.spec == other.spec
    }
}

/// Shows only which: a spec may hold what is nobody's business.
impl<K: CustomKind> fmt::Debug for Custom<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        write!(f, "{} {name}", K::KIND)
    }
}

#[derive(Deserialize)]
struct Read {
    // Known, so that they do not count as unknown.
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    metadata: ObjectMeta,
    #[serde(default = "nothing")]
    spec: Value,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}
