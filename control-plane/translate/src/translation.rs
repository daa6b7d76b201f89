//! The translation as a whole: every stage in its turn, and the fast road for what no route depends on.
//!
//! It does not know what any stage decides. It has no memory: the same objects give the same translation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_proto::{
    CertificateMaterial, Entry, Problem, Resource, ResourceKey, Settings, Snapshot,
};

use crate::backends::{Backends, Services};
use crate::certificates::{certificates, default_certificate};
use crate::claims::{Owners, settle};
use crate::class::{Classes, Served};
use crate::endpoints::endpoints;
use crate::hosts::hosts;
use crate::ingress::served;
use crate::objects::{Objects, secrets};
use crate::problem::Problems;
use crate::routes::claims;
use crate::settings::EdgeSettings;
use crate::tls::IngressTls;

/// What translation needs beside the objects.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings of the whole edge.
    pub settings: EdgeSettings,
    /// What hosts without a certificate get, unless the settings name a Secret for that.
    pub default_certificate: CertificateMaterial,
}

/// What the objects mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Translation {
    /// What data planes should hold.
    pub snapshot: Snapshot,
    /// The same, typed.
    pub resources: BTreeMap<ResourceKey, Arc<Resource>>,
    /// What is wrong with the objects, sorted; each once.
    pub problems: Vec<Problem>,
    services: Arc<Services>,
    /// Without what Nodes add.
    settings: Arc<Settings>,
    problems_of_objects: Arc<Problems>,
    /// Of the Services that have some.
    problems_of_endpoints: BTreeMap<(String, String), Problems>,
}

/// Returns what the objects mean.
#[must_use]
pub fn translate(objects: &Objects, options: &Options) -> Translation {
    let settings = &options.settings;
    let across_namespaces = settings.ingress.hosts_across_namespaces;
    let mut problems = Problems::default();
    let mut backends = Backends::new(objects, settings.ingress.allow_external_name);

    let ingresses = served(objects, &settings.ingress, &mut problems);
    let owners = Owners::of(&ingresses, across_namespaces, &mut problems);
    let mut wanted = Vec::new();
    let mut with_tls = Vec::new();
    for ingress in ingresses {
        let tls = IngressTls::of(&ingress, &mut problems);
        wanted.extend(claims(&ingress, &tls, &mut backends, &mut problems));
        with_tls.push((ingress, tls));
    }
    let routes = settle(wanted, &owners, across_namespaces, &mut problems);
    let certificates = certificates(objects, &with_tls, &mut problems);
    let hosts = hosts(&with_tls, &owners, &certificates, &mut problems);
    let default = default_certificate(
        objects,
        settings.default_certificate.as_ref(),
        &options.default_certificate,
        &mut problems,
    );
    let (backends, services) = backends.into_parts(&routes);

    let listeners = settings.listeners.iter().cloned().map(Resource::Listener);
    let resources: BTreeMap<_, _> = listeners
        .chain([Resource::Certificate(default)])
        .chain(certificates.into_values().map(Resource::Certificate))
        .chain(hosts.into_iter().map(Resource::Host))
        .chain(backends.into_values().map(Resource::Backend))
        .chain(routes.into_values().map(Resource::Route))
        .map(|resource| (resource.key(), Arc::new(resource)))
        .collect();
    let mut translation = Translation {
        snapshot: (resources.iter())
            .map(|(key, resource)| (key.clone(), Arc::new(Entry::new(resource.body()))))
            .collect(),
        resources,
        problems: Vec::new(),
        services: Arc::new(services),
        settings: Arc::new(settings.edge.clone()),
        problems_of_objects: Arc::new(problems),
        problems_of_endpoints: BTreeMap::new(),
    };
    translation.put_settings(objects);
    for service in Arc::clone(&translation.services).keys() {
        translation.put_endpoints(objects, service);
    }
    translation.merge_problems();
    translation
}

/// Returns what the objects mean, if since `last` only Nodes and EndpointSlices of these Services (namespace, name)
/// changed: the same as [`translate`] with the options of `last`, without a look at any route.
#[must_use]
pub fn retranslate(
    objects: &Objects,
    last: &Translation,
    services: &BTreeSet<(String, String)>,
) -> Translation {
    let mut translation = Translation {
        snapshot: last.snapshot.clone(),
        resources: last.resources.clone(),
        problems: Vec::new(),
        services: Arc::clone(&last.services),
        settings: Arc::clone(&last.settings),
        problems_of_objects: Arc::clone(&last.problems_of_objects),
        problems_of_endpoints: last.problems_of_endpoints.clone(),
    };
    translation.put_settings(objects);
    for service in services {
        translation.put_endpoints(objects, service);
    }
    translation.merge_problems();
    translation
}

/// Returns the Secrets (namespace, name) that the translation of these objects reads.
#[must_use]
pub fn referenced_secrets(objects: &Objects, options: &Options) -> BTreeSet<(String, String)> {
    let settings = &options.settings;
    let classes = Classes::new(objects.classes(), &settings.ingress.controllers);
    let default = settings.default_certificate.iter();
    let mut referenced: BTreeSet<_> = default
        .map(|secret| (secret.namespace.clone(), secret.name.clone()))
        .collect();
    for ingress in objects.ingresses() {
        if classes.served(ingress) == Served::Yes {
            let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
            referenced.extend(secrets(ingress).map(|name| (namespace.to_owned(), name.to_owned())));
        }
    }
    referenced
}

impl Translation {
    fn put(&mut self, resource: Resource) {
        let key = resource.key();
        self.snapshot
            .insert(key.clone(), Arc::new(Entry::new(resource.body())));
        self.resources.insert(key, Arc::new(resource));
    }

    /// Adds to the settings from where metrics may be read: whoever scrapes runs in a pod, or on a node.
    fn put_settings(&mut self, objects: &Objects) {
        let mut settings = (*self.settings).clone();
        settings.metrics_ranges.extend(objects.node_ranges());
        settings.metrics_ranges.sort_unstable();
        settings.metrics_ranges.dedup();
        let settings = Resource::Settings(Box::new(settings));
        let last = self.resources.get(&settings.key());
        if last.is_none_or(|last| **last != settings) {
            self.put(settings);
        }
    }

    /// Finds the endpoints of a Service anew, if a route names it.
    fn put_endpoints(&mut self, objects: &Objects, service: &(String, String)) {
        let services = Arc::clone(&self.services);
        let Some(ports) = services.get(service) else {
            return;
        };
        let mut problems = Problems::default();
        for port in ports {
            let found = endpoints(objects, &service.0, &service.1, port, &mut problems);
            self.put(Resource::Endpoints(found));
        }
        if problems.is_empty() {
            self.problems_of_endpoints.remove(service);
        } else {
            self.problems_of_endpoints.insert(service.clone(), problems);
        }
    }

    fn merge_problems(&mut self) {
        let of_endpoints = self.problems_of_endpoints.values().flat_map(Problems::iter);
        let all: BTreeSet<_> = self
            .problems_of_objects
            .iter()
            .chain(of_endpoints)
            .collect();
        self.problems = all.into_iter().cloned().collect();
    }
}
