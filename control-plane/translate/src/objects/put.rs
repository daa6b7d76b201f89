//! Takes objects in and out, and finds out whom that concerns.
//!
//! It does not decide what of an object is kept (`strip.rs`), nor who depends on what (`references.rs`).

use std::collections::BTreeSet;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;

use crate::objects::references::Dependencies;
use crate::objects::{Change, Name, Objects, service_of};
use crate::policies;
use crate::secret::Content;
use crate::traefik;

impl Objects {
    pub(super) fn put_ingress(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<Ingress>,
    ) -> Change {
        if self.ingresses.find(namespace, name) == new.as_ref() {
            return Change::Nothing;
        }
        let own = (namespace.to_owned(), name.to_owned());
        let was_ours = self.is_ours(&own);
        self.change(&BTreeSet::from([own.clone()]), |objects| {
            objects.ingresses.put(namespace, name, new);
        });
        if !was_ours && !self.is_ours(&own) {
            return Change::Nothing;
        }
        self.changed.ingresses.insert(own);
        Change::Ingresses
    }

    pub(super) fn put_service(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<Service>,
    ) -> Change {
        let old = self.services.find(namespace, name);
        if old == new.as_ref() {
            return Change::Nothing;
        }
        let ids = |service: Option<&Service>| -> BTreeSet<traefik::Id> {
            let annotations = service.and_then(|service| service.metadata.annotations.as_ref());
            traefik::ids(annotations, "Service").collect()
        };
        let names_others = ids(old) != ids(new.as_ref());
        let users: BTreeSet<Name> = self
            .references
            .to_service(namespace, name)
            .cloned()
            .collect();
        if names_others {
            self.change(&users, |objects| objects.services.put(namespace, name, new));
        } else {
            self.services.put(namespace, name, new);
        }
        self.ingresses_changed(users)
    }

    pub(super) fn put_secret(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<Content>,
    ) -> Change {
        if self.secrets.find(namespace, name) == new.as_ref() {
            return Change::Nothing;
        }
        self.secrets.put(namespace, name, new);
        if self.is_default_certificate(namespace, name) {
            return Change::Everything;
        }
        let users = self
            .references
            .to_secret(namespace, name)
            .cloned()
            .collect();
        self.ingresses_changed(users)
    }

    pub(super) fn put_named(
        &mut self,
        kind: traefik::Kind,
        namespace: &str,
        name: &str,
        new: Option<traefik::Stored>,
    ) -> Change {
        let id = kind.id(namespace, name);
        let own = (namespace.to_owned(), name.to_owned());
        let old = self.named.get(&id).and_then(|same_id| same_id.get(&own));
        if old == new.as_ref() {
            return Change::Nothing;
        }
        let users: BTreeSet<Name> = self.references.to_named(&id).cloned().collect();
        self.change(&users, |objects| {
            let same_id = objects.named.entry(id.clone()).or_default();
            match new {
                Some(new) => drop(same_id.insert(own, new)),
                None => drop(same_id.remove(&own)),
            }
            if same_id.is_empty() {
                objects.named.remove(&id);
            }
        });
        self.ingresses_changed(users)
    }

    pub(super) fn put_policy(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<policies::Kept>,
    ) -> Change {
        if self.policies.find(namespace, name) == new.as_ref() {
            return Change::Nothing;
        }
        let users = self.references.to_policy(namespace, name);
        let users: BTreeSet<Name> = users.cloned().collect();
        self.change(&users, |objects| objects.policies.put(namespace, name, new));
        self.ingresses_changed(users)
    }

    pub(super) fn put_slice(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<EndpointSlice>,
    ) -> Change {
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
    pub(super) fn put_node(&mut self, name: &str, new: Option<BTreeSet<IpNet>>) -> Change {
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

    /// Makes a change by which these Ingresses may depend on other objects.
    fn change(&mut self, users: &BTreeSet<Name>, make: impl FnOnce(&mut Self)) {
        let secrets = |all: &[(&Name, Dependencies)]| -> BTreeSet<Name> {
            let all = all.iter();
            all.flat_map(|(_, own)| own.secrets.iter().cloned())
                .collect()
        };
        let before = self.dependencies(users);
        for (user, dependencies) in &before {
            self.references.remove(user, dependencies);
        }
        make(self);
        let after = self.dependencies(users);
        for (user, dependencies) in &after {
            self.references.add(user, dependencies);
        }
        self.other_secrets |= secrets(&before) != secrets(&after);
    }

    /// Returns what each of these Ingresses depends on; those that are not served do on nothing.
    pub(super) fn dependencies<'a>(
        &self,
        users: &'a BTreeSet<Name>,
    ) -> Vec<(&'a Name, Dependencies)> {
        let users = users.iter().filter_map(|user| {
            let ingress = self
                .ingress(user)
                .filter(|ingress| self.is_served(ingress))?;
            Some((user, Dependencies::of(ingress, self)))
        });
        users.collect()
    }

    /// Notes Ingresses that changed.
    fn ingresses_changed(&mut self, names: BTreeSet<Name>) -> Change {
        if names.is_empty() {
            return Change::Nothing;
        }
        self.changed.ingresses.extend(names);
        Change::Ingresses
    }
}
