//! `chain`: a Middleware that stands for others.

use serde::Deserialize;

use crate::objects::Name;
use crate::traefik::annotations::{Named, named};
use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::named::{Id, Kind};

/// A Middleware that a chain names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    /// By namespace and name.
    Object(Name),
    /// By the id that annotations use, too.
    Id(String),
    /// By a name that Kubernetes knows nothing of.
    Foreign(String),
}

impl Link {
    /// Returns the id of what it names, if Kubernetes may know it.
    pub(crate) fn id(&self) -> Option<Id> {
        match self {
            Self::Object((namespace, name)) => Some(Kind::Middleware.id(namespace, name)),
            Self::Id(id) => Some((Kind::Middleware, id.clone())),
            Self::Foreign(_) => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChainSpec {
    middlewares: Vec<Reference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    name: String,
    namespace: String,
}

pub(super) fn chain(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: ChainSpec = spec.read()?;
    let mut links = Vec::new();
    for (index, Reference { name, namespace }) in read.middlewares.into_iter().enumerate() {
        if name.is_empty() {
            return Err(Wrong::new(
                format!("middlewares[{index}].name"),
                "it is empty",
            ));
        }
        links.push(match named(&name) {
            Some(Named::Id(id)) => Link::Id(id.to_owned()),
            Some(Named::Foreign(name)) if name.contains('@') => Link::Foreign(name.to_owned()),
            _ if namespace.is_empty() => Link::Object((spec.namespace().to_owned(), name)),
            _ => Link::Object((namespace, name)),
        });
    }
    Ok(Meaning::Chain(links))
}
