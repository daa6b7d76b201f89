//! A refusal as a problem: which object of the user's brought forth what a data plane cannot accept.

use sluice_proto::{Kind, ObjectReference, Problem, Resource, ResourceKey, Version};

use crate::publication::Publication;

/// A version of a resource that a data plane refused, of what is published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Which.
    pub key: ResourceKey,
    /// The version.
    pub version: Version,
    /// Why, as the data plane says.
    pub reason: String,
}

impl Refusal {
    /// Returns it as a problem of the object that it comes from. It names no data plane: the same refusal by all of them
    /// is one problem.
    #[must_use]
    pub fn problem(&self, publication: &Publication) -> Problem {
        let (object, field) = origin(&self.key, publication);
        let Self {
            key,
            version,
            reason,
        } = self;
        Problem {
            object,
            field,
            code: CODE.to_owned(),
            message: format!(
                "a data plane refuses {key} (version {version}): {reason}; it goes on with the version before, if it \
                 has one"
            ),
            remedy: remedy(key.kind).to_owned(),
        }
    }
}

fn origin(key: &ResourceKey, publication: &Publication) -> (ObjectReference, String) {
    let resource = publication.translation.resources.get(key);
    match resource.map(|resource| &**resource) {
        Some(Resource::Route(route)) => return (route.ingress.clone(), route.field.clone()),
        Some(Resource::Policy(policy)) => return (policy.object.clone(), policy.field.clone()),
        _ => {}
    }
    let class = key.name.strip_prefix("class/");
    if let (Kind::Settings, Some(class)) = (key.kind, class) {
        let object = ObjectReference {
            kind: "IngressClass".to_owned(),
            namespace: String::new(),
            name: class.to_owned(),
        };
        return (object, "spec.parameters".to_owned());
    }
    let (kind, field, qualified) = match key.kind {
        Kind::Certificate => ("Secret", "data", Some(&*key.name)),
        Kind::Backend | Kind::Endpoints => {
            let service = key.name.rsplit_once(':').map(|(service, _)| service);
            ("Service", "spec", service)
        }
        Kind::Listener | Kind::Settings | Kind::Host | Kind::Policy | Kind::Route => ("", "", None),
    };
    let object = match qualified.and_then(|name| name.split_once('/')) {
        Some((namespace, name)) => ObjectReference {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        // No one object of Kubernetes is behind it: it is named as the resource that it is.
        None => ObjectReference {
            kind: key.kind.to_string(),
            namespace: String::new(),
            name: key.name.to_string(),
        },
    };
    (object, field.to_owned())
}

const fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => {
            "put a certificate and the private key that belongs to it into the Secret, as tls.crt and tls.key"
        }
        _ => {
            "mend what the reason names; if nothing is wrong with it, the data plane is of another version than the \
             control plane: update both"
        }
    }
}

const CODE: &str = "ResourceRefused";
