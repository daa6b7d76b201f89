//! All objects that translation reads, as they are now, without what it does not read.
//!
//! It does not hold resources or problems: [`crate::translate`] makes them. It says of every change whether anything
//! must be translated again: most of what happens in a cluster is nobody's business here.

mod by_name;
mod put;
mod references;
mod strip;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use sluice_proto::{ObjectReference, Problem};

use crate::class::{Classes, Served};
use crate::custom::{Custom, CustomKind, PolicyKind, SettingsKind};
use crate::node;
use crate::object::Object;
use crate::objects::by_name::ByName;
use crate::objects::references::References;
use crate::policies;
use crate::problem::Problems;
use crate::secret::Content;
use crate::settings::{CONTROLLER, ClassPolicies, EdgeSettings, InForce, PolicyReference};
use crate::traefik;

/// All objects that translation reads, as they are now. `Debug` shows how many.
#[derive(Clone, Default)]
pub struct Objects {
    classes: BTreeMap<String, IngressClass>,
    ingresses: ByName<Ingress>,
    services: ByName<Service>,
    slices: ByName<EndpointSlice>,
    slices_of_service: ByName<BTreeSet<String>>,
    secrets: ByName<Content>,
    /// Traefik's, by the ids that annotations name them by.
    named: BTreeMap<traefik::Id, BTreeMap<Name, traefik::Stored>>,
    policies: ByName<policies::Kept>,
    settings: BTreeMap<String, Custom<SettingsKind>>,
    nodes: BTreeMap<String, BTreeSet<IpNet>>,
    denied: BTreeSet<String>,
    file: Option<EdgeSettings>,
    in_force: Option<InForce>,
    class_policies: ClassPolicies,
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
        let reference = object.reference();
        let ObjectReference {
            namespace, name, ..
        } = reference.clone();
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
                self.put_service(&namespace, &name, Some(strip::service(service)))
            }
            Object::EndpointSlice(slice) => {
                self.put_slice(&namespace, &name, Some(strip::slice(slice)))
            }
            Object::Secret(secret) => {
                // Only what somebody may need of it is kept, whatever else the Secret holds.
                self.put_secret(&namespace, &name, Some(Content::of(&secret)))
            }
            Object::Settings(settings) => {
                let settings = settings.stripped();
                if self.settings.get(&name) == Some(&settings) {
                    return Change::Nothing;
                }
                self.settings.insert(name, settings);
                self.settings_changed()
            }
            Object::Node(node) => self.put_node(&name, Some(node::ranges(&node))),
            Object::Middleware(middleware) => {
                let kept = traefik::Kept::of(reference, &middleware);
                let stored = traefik::Stored::Middleware(kept);
                self.put_named(traefik::Kind::Middleware, &namespace, &name, Some(stored))
            }
            Object::ServersTransport(transport) => {
                let kept = traefik::Kept::of_transport(reference, &transport);
                let stored = traefik::Stored::ServersTransport(kept);
                self.put_named(
                    traefik::Kind::ServersTransport,
                    &namespace,
                    &name,
                    Some(stored),
                )
            }
            Object::TlsOption(option) => {
                let kept = traefik::Kept::of_tls_option(reference, &option);
                let stored = traefik::Stored::TlsOption(kept);
                self.put_named(traefik::Kind::TlsOption, &namespace, &name, Some(stored))
            }
            Object::Policy(policy) => {
                let kept = policies::Kept::of(reference, &policy);
                self.put_policy(&namespace, &name, Some(kept))
            }
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, object: &ObjectReference) -> Change {
        let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
        match object.kind.as_str() {
            "IngressClass" if self.classes.remove(name).is_some() => self.settings_changed(),
            SettingsKind::KIND if self.settings.remove(name).is_some() => self.settings_changed(),
            "Ingress" => self.put_ingress(namespace, name, None),
            "Service" => self.put_service(namespace, name, None),
            "EndpointSlice" => self.put_slice(namespace, name, None),
            "Node" => self.put_node(name, None),
            "Secret" => self.put_secret(namespace, name, None),
            PolicyKind::KIND => self.put_policy(namespace, name, None),
            kind => match traefik::Kind::parse(kind) {
                Some(kind) => self.put_named(kind, namespace, name, None),
                None => Change::Nothing,
            },
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
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<&Content> {
        self.secrets.find(namespace, name)
    }

    /// Returns what is kept of the objects that have this id, sorted by namespace and name.
    pub(crate) fn stored(&self, id: &traefik::Id) -> impl Iterator<Item = &traefik::Stored> {
        self.named.get(id).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn policy(&self, namespace: &str, name: &str) -> Option<&policies::Kept> {
        self.policies.find(namespace, name)
    }

    /// Returns what is wrong with Policies, as far as each says so itself, whoever names them.
    pub fn problems_of_policies(&self) -> impl Iterator<Item = &Problem> {
        self.policies.values().flat_map(|kept| &kept.problems)
    }

    /// Returns the same of the objects that mean this.
    pub(crate) fn named<M: traefik::Meant>(
        &self,
        id: &traefik::Id,
    ) -> impl Iterator<Item = &traefik::Kept<M>> {
        self.stored(id).filter_map(M::of)
    }

    /// Returns the ranges of all nodes and their pods.
    pub(crate) fn node_ranges(&self) -> impl Iterator<Item = IpNet> {
        self.nodes.values().flatten().copied()
    }

    pub(crate) fn are_secrets_denied(&self, namespace: &str) -> bool {
        self.denied.contains(namespace)
    }

    fn is_default_certificate(&self, namespace: &str, name: &str) -> bool {
        // As long as nothing is known of the settings, it might be.
        self.in_force.as_ref().is_none_or(|in_force| {
            let mut defaults = in_force.default_certificates();
            defaults.any(|secret| secret.namespace == namespace && secret.name == name)
        })
    }

    /// Returns the Policies of every route of the class of this Ingress.
    fn policies_of_class(&self, ingress: &Ingress) -> &[PolicyReference] {
        self.settings().map_or(&[], |settings| {
            let classes = Classes::new(&self.classes, &settings.ingress.controllers);
            self.class_policies.of(&classes.settings(ingress)).known()
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
        let policies = self.in_force.as_ref().map(InForce::policies);
        self.class_policies = policies.unwrap_or_default();
        self.count_references();
        Change::Everything
    }

    /// Returns whether there is such an Ingress, and it is nobody else's.
    fn is_ours(&self, name: &Name) -> bool {
        self.ingress(name)
            .is_some_and(|ingress| served(&self.classes, self.settings(), ingress) != Served::No)
    }

    fn count_references(&mut self) {
        let users = self.ingress_names().collect();
        let mut references = References::default();
        for (user, dependencies) in self.dependencies(&users) {
            references.add(user, &dependencies);
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
            .field(
                "named",
                &self.named.values().map(BTreeMap::len).sum::<usize>(),
            )
            .field("policies", &self.policies.len())
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
