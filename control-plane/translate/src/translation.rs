//! The translation as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_proto::{
    Certificate, CertificateMaterial, CertificateName, Problem, Resource, ResourceKey, Snapshot,
};

use crate::objects::Objects;
use crate::settings::EdgeSettings;

/// What translation needs beside the objects.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings of the whole edge.
    pub settings: EdgeSettings,
    /// What hosts without a certificate get, unless the settings name a Secret for that.
    pub default_certificate: CertificateMaterial,
}

/// What the objects mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What data planes should hold.
    pub snapshot: Snapshot,
    /// The same, typed.
    pub resources: BTreeMap<ResourceKey, Arc<Resource>>,
    /// What is wrong with the objects, sorted; each once.
    pub problems: Vec<Problem>,
}

/// Returns what the objects mean.
#[must_use]
pub fn translate(objects: &Objects, options: &Options) -> Translation {
    let _ = objects;
    let listeners = options.settings.listeners.iter();
    let mut resources: Vec<_> = listeners.cloned().map(Resource::Listener).collect();
    let settings = options.settings.edge.clone();
    resources.push(Resource::Settings(Box::new(settings)));
    resources.push(Resource::Certificate(Certificate {
        name: CertificateName::default_certificate(),
        content: Ok(options.default_certificate.clone()),
    }));
    Translation {
        snapshot: Snapshot::of(&resources),
        resources: (resources.into_iter())
            .map(|resource| (resource.key(), Arc::new(resource)))
            .collect(),
        problems: Vec::new(),
    }
}

/// Returns what the objects mean, if since `last` only EndpointSlices of these Services (namespace, name) changed.
#[must_use]
pub fn retranslate_endpoints(
    objects: &Objects,
    last: &Translation,
    services: &BTreeSet<(String, String)>,
) -> Translation {
    let _ = (objects, services);
    last.clone()
}

/// Returns the Secrets (namespace, name) that the translation of these objects reads.
#[must_use]
pub fn referenced_secrets(objects: &Objects, options: &Options) -> BTreeSet<(String, String)> {
    let _ = (objects, options);
    BTreeSet::new()
}
