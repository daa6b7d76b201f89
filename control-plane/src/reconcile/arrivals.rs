//! When what is published had arrived: so that it can be said how long a change took to be live on all nodes.
//!
//! It does not know who has what. Endpoints come and go all the time and do not count.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{Kind, ObjectReference, Resource, ResourceKey};
use sluice_translate::Change;
use tokio::time::Instant;

use crate::kinds::INGRESS;
use crate::publication::Publication;

/// A change of routes that was published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// As this generation.
    pub generation: u64,
    /// When the first of what it consists of arrived.
    pub since: Instant,
    /// The Ingresses that changed and whose routes changed by it, and when each arrived.
    pub ingresses: BTreeMap<ObjectReference, Instant>,
}

/// What arrived since the last publication.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    since: Option<Instant>,
    ingresses: BTreeMap<ObjectReference, Instant>,
}

impl Arrivals {
    /// Takes in a change of this object.
    pub(crate) fn came(&mut self, object: &ObjectReference, change: Change, now: Instant) {
        if change < Change::Ingresses {
            return;
        }
        self.since.get_or_insert(now);
        if object.kind == INGRESS {
            self.ingresses.entry(object.clone()).or_insert(now);
        }
    }

    /// Takes in a publication, and returns what of it changed routes. The first changes none: it is what there is.
    pub(crate) fn published(
        &mut self,
        before: Option<&Publication>,
        after: &Publication,
    ) -> Option<Arrived> {
        let Self { since, ingresses } = std::mem::take(self);
        let (since, before) = (since?, before?);
        if before.generation == after.generation {
            return None;
        }
        let changed =
            |ingress: &ObjectReference| routes(before, ingress).ne(routes(after, ingress));
        let is_there = |ingress: &ObjectReference| routes(after, ingress).next().is_some();
        let ingresses = ingresses.into_iter();
        Some(Arrived {
            generation: after.generation,
            since,
            ingresses: ingresses
                .filter(|(ingress, _)| is_there(ingress) && changed(ingress))
                .collect(),
        })
    }
}

/// Returns the routes of an Ingress: their names begin with its own.
fn routes<'a>(
    publication: &'a Publication,
    ingress: &'a ObjectReference,
) -> impl Iterator<Item = (&'a ResourceKey, &'a Arc<Resource>)> {
    let name = format!("{}/{} ", ingress.namespace, ingress.name);
    let first = ResourceKey::new(Kind::Route, name.as_str());
    let routes = publication.translation.resources.range(first..);
    routes.take_while(move |(key, _)| key.kind == Kind::Route && key.name.starts_with(&name))
}

#[cfg(test)]
mod tests {
    use sluice_proto::CertificateMaterial;
    use sluice_translate::{EdgeSettings, Objects, Options, parse_objects, translate};

    use super::*;

    fn publication(generation: u64, ingresses: &[(&str, &str)]) -> Publication {
        let mut yaml = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: sluice}\nspec: {controller: \
                        ingress.sluice.dev/controller}\n"
            .to_owned();
        for (name, path) in ingresses {
            yaml += &format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
                 ingressClassName: sluice\n  rules: [{{host: {name}.example, http: {{paths: [{{path: {path}, pathType: Prefix, \
                 backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]\n"
            );
        }
        let mut objects = Objects::default();
        for object in parse_objects(&yaml).objects {
            let _ = objects.apply(object);
        }
        let options = Options {
            settings: EdgeSettings::default(),
            default_certificate: CertificateMaterial {
                chain: Vec::new(),
                private_key: "key".into(),
                names: Vec::new(),
                not_before_unix_s: 0,
                not_after_unix_s: 0,
            },
        };
        Publication::new(generation, Arc::new(translate(&objects, &options)))
    }

    fn object(kind: &str, name: &str) -> ObjectReference {
        ObjectReference {
            kind: kind.to_owned(),
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn ingresses_that_arrived_and_changed_are_named_with_their_time() {
        let start = Instant::now();
        let later = start + std::time::Duration::from_secs(1);
        let before = publication(1, &[("a", "/"), ("a-b", "/"), ("same", "/"), ("gone", "/")]);
        let after = publication(
            2,
            &[("a", "/new"), ("a-b", "/"), ("same", "/"), ("new", "/")],
        );
        let mut arrivals = Arrivals::default();
        arrivals.came(&object("Service", "web"), Change::Ingresses, start);
        arrivals.came(
            &object("EndpointSlice", "web-1"),
            Change::Surroundings,
            start,
        );
        for name in ["a", "same", "gone", "new", "a"] {
            arrivals.came(&object("Ingress", name), Change::Ingresses, later);
        }
        let expected = Arrived {
            generation: 2,
            since: start,
            ingresses: BTreeMap::from([
                (object("Ingress", "a"), later),
                (object("Ingress", "new"), later),
            ]),
        };
        assert_eq!(arrivals.published(Some(&before), &after), Some(expected));
        assert_eq!(
            arrivals.published(Some(&before), &after),
            None,
            "it is told once"
        );
    }

    #[test]
    fn the_first_publication_and_one_without_a_change_are_no_news() {
        let now = Instant::now();
        let publication = publication(1, &[("a", "/")]);
        for before in [None, Some(&publication)] {
            let mut arrivals = Arrivals::default();
            arrivals.came(&object("Ingress", "a"), Change::Ingresses, now);
            assert_eq!(arrivals.published(before, &publication), None);
        }
    }
}
