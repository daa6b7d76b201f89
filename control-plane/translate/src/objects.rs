//! All objects that translation reads, as they are now, without what it does not read.
//!
//! It does not hold resources or problems: [`crate::translate`] makes them. It says of every change whether anything
//! must be translated again: most of what happens in a cluster is nobody's business here.

mod by_name;
mod references;
mod strip;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use sluice_proto::{CertificateMaterial, ObjectReference};

use crate::class::{Classes, Served};
use crate::custom::{Custom, CustomKind, SettingsKind};
use crate::node;
use crate::object::Object;
use crate::objects::by_name::ByName;
use crate::objects::references::{References, secrets};
use crate::problem::Problems;
use crate::secret::{Malformed, material};
use crate::settings::{CONTROLLER, EdgeSettings, InForce};

/// All objects that translation reads, as they are now. `Debug` shows how many.
#[derive(Clone, Default)]
pub struct Objects {
    classes: BTreeMap<String, IngressClass>,
    ingresses: ByName<Ingress>,
    services: ByName<Service>,
    slices: ByName<EndpointSlice>,
    slices_of_service: ByName<BTreeSet<String>>,
    secrets: ByName<Result<CertificateMaterial, Malformed>>,
    settings: BTreeMap<String, Custom<SettingsKind>>,
    nodes: BTreeMap<String, BTreeSet<IpNet>>,
    denied: BTreeSet<String>,
    file: Option<EdgeSettings>,
    in_force: Option<InForce>,
    references: References,
    changed: Changed,
    // Whether other Secrets are referred to than when somebody asked last.
    other_secrets: bool,
}

/// The namespace and name of an object.
pub(crate) type Name = (String, String);

/// What changed, by namespace and name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changed {
    /// Ingresses that are others now, or of which an object is another that they name.
    pub ingresses: BTreeSet<(String, String)>,
    /// Services whose endpoints are others.
    pub services: BTreeSet<(String, String)>,
}

/// What must be translated again after a change.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[must_use]
pub enum Change {
    /// Nothing: nobody refers to it, or nothing that is read changed.
    Nothing,
    /// What no route depends on: the endpoints of the Services that [`Objects::take_changed`] returns, and what the
    /// settings say of Nodes: [`crate::retranslate`].
    Surroundings,
    /// The Ingresses that [`Objects::take_changed`] returns, too: [`crate::retranslate`].
    Ingresses,
    /// Everything: [`crate::translate`].
    Everything,
}

impl Objects {
    /// Takes in a new or changed object.
    pub fn apply(&mut self, object: Object) -> Change {
        let ObjectReference {
            namespace, name, ..
        } = object.reference();
        match object {
            Object::IngressClass(class) => {
                let class = strip::class(class);
                if self.classes.get(&name) == Some(&class) {
                    return Change::Nothing;
                }
                self.classes.insert(name, class);
                self.settings_changed()
            }
            Object::Ingress(ingress) => {
                self.put_ingress(&namespace, &name, Some(strip::ingress(ingress)))
            }
            Object::Service(service) => {
                let service = strip::service(service);
                if self.services.find(&namespace, &name) == Some(&service) {
                    return Change::Nothing;
                }
                self.services.insert(&namespace, &name, service);
                self.service_changed(&namespace, &name)
            }
            Object::EndpointSlice(slice) => {
                self.put_slice(&namespace, &name, Some(strip::slice(slice)))
            }
            Object::Secret(secret) => self.apply_secret(&namespace, &name, &secret),
            Object::Settings(settings) => {
                let settings = settings.stripped();
                if self.settings.get(&name) == Some(&settings) {
                    return Change::Nothing;
                }
                self.settings.insert(name, settings);
                self.settings_changed()
            }
            Object::Node(node) => self.put_node(&name, Some(node::ranges(&node))),
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, object: &ObjectReference) -> Change {
        let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
        match object.kind.as_str() {
            "IngressClass" if self.classes.remove(name).is_some() => self.settings_changed(),
            SettingsKind::KIND if self.settings.remove(name).is_some() => self.settings_changed(),
            "Ingress" => self.put_ingress(namespace, name, None),
            "Service" if self.services.remove(namespace, name).is_some() => {
                self.service_changed(namespace, name)
            }
            "EndpointSlice" => self.put_slice(namespace, name, None),
            "Node" => self.put_node(name, None),
            "Secret" if self.secrets.remove(namespace, name).is_some() => {
                self.secret_changed(namespace, name)
            }
            _ => Change::Nothing,
        }
    }

    /// Says what the settings file says, so that a change of what only Ingresses refer to that are not served is
    /// [`Change::Nothing`]. Until it is called, every Ingress counts as served: nothing that matters is passed over.
    pub fn follow_settings(&mut self, file: &EdgeSettings) -> Change {
        self.file = Some(file.clone());
        self.settings_changed()
    }

    /// Returns the settings of the whole edge that are in force, once it is known what the file says.
    #[must_use]
    pub fn settings(&self) -> Option<&EdgeSettings> {
        self.in_force.as_ref().map(|in_force| &in_force.edge)
    }

    /// Notes that Secrets of this namespace cannot be read.
    pub fn deny_secrets(&mut self, namespace: &str) -> Change {
        everything_if(self.denied.insert(namespace.to_owned()))
    }

    /// Notes that Secrets of this namespace can be read.
    pub fn allow_secrets(&mut self, namespace: &str) -> Change {
        everything_if(self.denied.remove(namespace))
    }

    /// Returns what changed since the last call.
    pub fn take_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// Returns the Secrets (namespace, name) that translation reads.
    #[must_use]
    pub fn referenced_secrets(&self) -> BTreeSet<(String, String)> {
        let of_ingresses = self.references.secrets();
        let of_ingresses = of_ingresses.map(|(namespace, name)| (namespace.clone(), name.clone()));
        let default = self.in_force.iter().flat_map(InForce::default_certificates);
        of_ingresses
            .chain(default.map(|secret| (secret.namespace.clone(), secret.name.clone())))
            .collect()
    }

    /// Returns the same, if it is another than at the last call.
    pub fn take_referenced_secrets(&mut self) -> Option<BTreeSet<(String, String)>> {
        std::mem::take(&mut self.other_secrets).then(|| self.referenced_secrets())
    }

    /// Returns whether the status of this Ingress is ours to write: it is served, and of a class whose controller is
    /// Sluice. Of an adopted class, the other controller may be running still.
    #[must_use]
    pub fn is_status_ours(&self, namespace: &str, name: &str) -> bool {
        let Some(settings) = self.settings() else {
            return false;
        };
        let own = BTreeSet::from([CONTROLLER.to_owned()]);
        let own = Classes::new(&self.classes, &own);
        let ingress = self.ingresses.find(namespace, name);
        settings.ingress.controllers.contains(CONTROLLER)
            && ingress.is_some_and(|ingress| own.served(ingress) == Served::Yes)
    }

    /// Returns the Ingresses (namespace, name) that somebody else serves, each with the controller of its class, if it has
    /// one.
    #[must_use]
    pub fn ingresses_of_others(&self) -> Vec<(&str, &str, Option<&str>)> {
        let Some(settings) = self.settings() else {
            return Vec::new();
        };
        let classes = Classes::new(&self.classes, &settings.ingress.controllers);
        let others = self.ingresses.names().filter_map(|(namespace, name)| {
            let ingress = self.ingresses.find(namespace, name)?;
            let is_others = classes.served(ingress) == Served::No;
            is_others.then(|| (&**namespace, &**name, classes.controller_of(ingress)))
        });
        others.collect()
    }

    pub(crate) const fn classes(&self) -> &BTreeMap<String, IngressClass> {
        &self.classes
    }

    pub(crate) const fn settings_objects(&self) -> &BTreeMap<String, Custom<SettingsKind>> {
        &self.settings
    }

    pub(crate) fn ingress(&self, (namespace, name): &Name) -> Option<&Ingress> {
        self.ingresses.find(namespace, name)
    }

    /// Returns the namespace and name of each Ingress.
    pub(crate) fn ingress_names(&self) -> impl Iterator<Item = Name> {
        let names = self.ingresses.names();
        names.map(|(namespace, name)| (namespace.clone(), name.clone()))
    }

    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.services.find(namespace, name)
    }

    /// Returns the EndpointSlices of a Service, sorted by name.
    pub(crate) fn slices_of(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = &EndpointSlice> {
        let names = self.slices_of_service.find(namespace, service);
        let names = names.into_iter().flatten();
        names.filter_map(move |name| self.slices.find(namespace, name))
    }

    /// Returns what a Secret holds; `None` if there is no such Secret.
    pub(crate) fn secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<&Result<CertificateMaterial, Malformed>> {
        self.secrets.find(namespace, name)
    }

    /// Returns the ranges of all nodes and their pods.
    pub(crate) fn node_ranges(&self) -> impl Iterator<Item = IpNet> {
        self.nodes.values().flatten().copied()
    }

    pub(crate) fn are_secrets_denied(&self, namespace: &str) -> bool {
        self.denied.contains(namespace)
    }

    fn put_ingress(&mut self, namespace: &str, name: &str, new: Option<Ingress>) -> Change {
        let old = match &new {
            Some(ingress) => self.ingresses.insert(namespace, name, ingress.clone()),
            None => self.ingresses.remove(namespace, name),
        };
        if old == new {
            return Change::Nothing;
        }
        let is_ours =
            |ingress: &Ingress| served(&self.classes, self.settings(), ingress) != Served::No;
        if !old.iter().chain(&new).any(is_ours) {
            return Change::Nothing;
        }
        let (old, new) = (
            old.filter(|old| self.is_served(old)),
            new.filter(|new| self.is_served(new)),
        );
        self.other_secrets |= secrets_of(old.as_ref()).ne(secrets_of(new.as_ref()));
        if let Some(old) = old {
            self.references.remove(&old);
        }
        if let Some(new) = new {
            self.references.add(&new);
        }
        let changed = (namespace.to_owned(), name.to_owned());
        self.changed.ingresses.insert(changed);
        Change::Ingresses
    }

    fn put_slice(&mut self, namespace: &str, name: &str, new: Option<EndpointSlice>) -> Change {
        let service = new.as_ref().and_then(service_of).map(str::to_owned);
        let old = match &new {
            Some(slice) => self.slices.insert(namespace, name, slice.clone()),
            None => self.slices.remove(namespace, name),
        };
        if old == new {
            return Change::Nothing;
        }
        let mut touched = BTreeSet::new();
        if let Some(service) = old.as_ref().and_then(service_of) {
            let names = self.slices_of_service.entry_or_default(namespace, service);
            names.remove(name);
            if names.is_empty() {
                self.slices_of_service.remove(namespace, service);
            }
            touched.insert(service.to_owned());
        }
        if let Some(service) = service {
            let names = self.slices_of_service.entry_or_default(namespace, &service);
            names.insert(name.to_owned());
            touched.insert(service);
        }
        let is_used = |service: &String| {
            let mut users = self.references.to_service(namespace, service);
            users.next().is_some()
        };
        touched.retain(is_used);
        if touched.is_empty() {
            return Change::Nothing;
        }
        let changed = touched
            .into_iter()
            .map(|service| (namespace.to_owned(), service));
        self.changed.services.extend(changed);
        Change::Surroundings
    }

    // A node says every few minutes that it is alive; only where it is matters.
    fn put_node(&mut self, name: &str, new: Option<BTreeSet<IpNet>>) -> Change {
        let old = match new.clone() {
            Some(ranges) => self.nodes.insert(name.to_owned(), ranges),
            None => self.nodes.remove(name),
        };
        if old.unwrap_or_default() == new.unwrap_or_default() {
            Change::Nothing
        } else {
            Change::Surroundings
        }
    }

    fn apply_secret(&mut self, namespace: &str, name: &str, secret: &Secret) -> Change {
        // Only the certificate and its key are kept, whatever else the Secret holds.
        let content = material(secret);
        if self.secrets.find(namespace, name) == Some(&content) {
            return Change::Nothing;
        }
        self.secrets.insert(namespace, name, content);
        self.secret_changed(namespace, name)
    }

    fn service_changed(&mut self, namespace: &str, name: &str) -> Change {
        let users = self.references.to_service(namespace, name);
        let users = users.map(|user| (namespace.to_owned(), user.clone()));
        ingresses(&mut self.changed, users)
    }

    fn secret_changed(&mut self, namespace: &str, name: &str) -> Change {
        if self.is_default_certificate(namespace, name) {
            return Change::Everything;
        }
        let users = self.references.to_secret(namespace, name);
        let users = users.map(|user| (namespace.to_owned(), user.clone()));
        ingresses(&mut self.changed, users)
    }

    fn is_default_certificate(&self, namespace: &str, name: &str) -> bool {
        // As long as nothing is known of the settings, it might be.
        self.in_force.as_ref().is_none_or(|in_force| {
            let mut defaults = in_force.default_certificates();
            defaults.any(|secret| secret.namespace == namespace && secret.name == name)
        })
    }

    fn is_served(&self, ingress: &Ingress) -> bool {
        served(&self.classes, self.settings(), ingress) == Served::Yes
    }

    /// Finds out what is in force now: any setting may be another, of the edge or of a class.
    fn settings_changed(&mut self) -> Change {
        self.in_force = self.file.as_ref().map(|file| {
            // Translation reports them.
            let problems = &mut Problems::new();
            InForce::of(file, &self.settings, &self.classes, problems)
        });
        self.count_references();
        Change::Everything
    }

    fn count_references(&mut self) {
        let mut references = References::default();
        for ingress in self
            .ingresses
            .values()
            .filter(|ingress| self.is_served(ingress))
        {
            references.add(ingress);
        }
        self.references = references;
        self.other_secrets = true;
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("classes", &self.classes.len())
            .field("ingresses", &self.ingresses.len())
            .field("services", &self.services.len())
            .field("slices", &self.slices.len())
            .field("secrets", &self.secrets.len())
            .field("settings", &self.settings.len())
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

const fn everything_if(matters: bool) -> Change {
    if matters {
        Change::Everything
    } else {
        Change::Nothing
    }
}

/// Notes Ingresses that changed.
fn ingresses(changed: &mut Changed, names: impl Iterator<Item = Name>) -> Change {
    let mut change = Change::Nothing;
    for name in names {
        changed.ingresses.insert(name);
        change = Change::Ingresses;
    }
    change
}

fn secrets_of(ingress: Option<&Ingress>) -> impl Iterator<Item = &str> {
    ingress.into_iter().flat_map(secrets)
}

fn served<'a>(
    classes: &BTreeMap<String, IngressClass>,
    settings: Option<&EdgeSettings>,
    ingress: &'a Ingress,
) -> Served<'a> {
    settings.map_or(Served::Yes, |settings| {
        Classes::new(classes, &settings.ingress.controllers).served(ingress)
    })
}

/// Returns the Service that a slice belongs to: "the `kubernetes.io/service-name` label indicates the Service".
fn service_of(slice: &EndpointSlice) -> Option<&str> {
    let labels = slice.metadata.labels.as_ref()?;
    labels.get(SERVICE_NAME_LABEL).map(String::as_str)
}

pub(crate) const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
