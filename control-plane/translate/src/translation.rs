//! The translation as a whole: what is published for the edge itself, and for the Ingresses (`merged.rs`).
//!
//! It does not know what any stage decides. It has no memory but the last translation that it is given: the same objects
//! give the same translation, in whatever steps they came.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use sluice_proto::{
    CertificateMaterial, Entry, Problem, Resource, ResourceKey, Settings, Snapshot,
};

use crate::certificates::{default_certificate, named_by_settings};
use crate::class::Classes;
use crate::merged::Merged;
use crate::objects::{Changed, Objects};
use crate::problem::Problems;
use crate::settings::{ClassPolicies, EdgeSettings, InForce};

/// What translation needs beside the objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// What the settings file says: objects may say other.
    pub settings: EdgeSettings,
    /// What hosts without a certificate get, unless the settings name a Secret for that.
    pub default_certificate: CertificateMaterial,
}

/// What the objects mean. A copy costs nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Translation {
    /// What data planes should hold.
    pub snapshot: Snapshot,
    /// The same, typed.
    pub resources: OrdMap<ResourceKey, Arc<Resource>>,
    /// What is wrong with the objects, sorted; each once.
    pub problems: Arc<[Problem]>,
    merged: Merged,
    /// The same as was given, with the settings that are in force.
    options: Arc<Options>,
    policies: Arc<ClassPolicies>,
    /// Those of the edge, without what Nodes add.
    settings: Arc<Settings>,
    problems_of_objects: Arc<[Problem]>,
}

/// What is published: the same resources twice, encoded and typed.
#[derive(Debug, Default)]
pub(crate) struct Published {
    snapshot: Snapshot,
    resources: OrdMap<ResourceKey, Arc<Resource>>,
}

/// Returns what the objects mean.
#[must_use]
pub fn translate(objects: &Objects, options: &Options) -> Translation {
    let mut problems = Problems::new();
    let (classes, settings) = (objects.classes(), objects.settings_objects());
    let in_force = InForce::of(&options.settings, settings, classes, &mut problems);
    let policies = Arc::new(in_force.policies());
    let EdgeSettings {
        listeners,
        default_certificate: named,
        ingress,
        ..
    } = &in_force.edge;
    Classes::new(classes, &ingress.controllers).report(settings, &mut problems);
    let own = &options.default_certificate;
    let default = default_certificate(objects, named.as_ref(), own, &mut problems);
    let mut published = Published::default();
    for listener in listeners {
        published.put(Resource::Listener(listener.clone()));
    }
    published.put(Resource::Certificate(default));
    for class in in_force.of_classes.into_values() {
        let name = class.settings.default_certificate.clone();
        if let Some(secret) = &class.default_certificate {
            let default = named_by_settings(objects, name, secret, &mut problems);
            published.put(Resource::Certificate(default));
        }
        published.put(Resource::Settings(Box::new(class.settings)));
    }
    let mut merged = Merged::default();
    merged.add_problems(&problems);
    let nothing = Translation {
        snapshot: published.snapshot,
        resources: published.resources,
        problems: [].into(),
        problems_of_objects: listed(&merged),
        merged,
        policies,
        settings: Arc::new(in_force.edge.published()),
        options: Arc::new(Options {
            settings: in_force.edge,
            default_certificate: own.clone(),
        }),
    };
    let all = Changed {
        ingresses: objects.ingress_names().collect(),
        services: BTreeSet::new(),
    };
    nothing.with(objects, all)
}

/// Returns what the objects mean, if since `last` only Nodes and this changed: the same as [`translate`] with the options
/// of `last`, at the price of what changed.
#[must_use]
pub fn retranslate(objects: &Objects, last: &Translation, changed: Changed) -> Translation {
    last.clone().with(objects, changed)
}

impl Translation {
    fn with(mut self, objects: &Objects, changed: Changed) -> Self {
        let mut published = Published {
            snapshot: self.snapshot,
            resources: self.resources,
        };
        let known = self.merged.problems().clone();
        self.merged.update(
            objects,
            &self.options,
            &self.policies,
            changed,
            &mut published,
        );
        published.put(settings(&self.settings, objects));
        // What somebody added to the last one's problems is not taken over.
        if !known.ptr_eq(self.merged.problems()) {
            self.problems_of_objects = listed(&self.merged);
        }
        Self {
            snapshot: published.snapshot,
            resources: published.resources,
            problems: Arc::clone(&self.problems_of_objects),
            ..self
        }
    }
}

impl Published {
    /// Publishes a resource in the place of the one with its key.
    pub(crate) fn put(&mut self, resource: Resource) {
        let key = resource.key();
        if self
            .resources
            .get(&key)
            .is_none_or(|last| **last != resource)
        {
            let entry = Arc::new(Entry::new(resource.body()));
            self.snapshot.insert(key.clone(), entry);
            self.resources.insert(key, Arc::new(resource));
        }
    }

    /// Publishes nothing any more in this place.
    pub(crate) fn remove(&mut self, key: &ResourceKey) {
        self.snapshot.remove(key);
        self.resources.remove(key);
    }
}

fn listed(merged: &Merged) -> Arc<[Problem]> {
    let problems = merged.problems().keys();
    problems.map(|problem| Problem::clone(problem)).collect()
}

/// Adds to the settings from where metrics may be read: whoever scrapes runs in a pod, or on a node.
fn settings(of_edge: &Settings, objects: &Objects) -> Resource {
    let mut settings = of_edge.clone();
    settings.metrics_ranges.extend(objects.node_ranges());
    settings.metrics_ranges.sort_unstable();
    settings.metrics_ranges.dedup();
    Resource::Settings(Box::new(settings))
}
