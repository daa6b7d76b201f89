//! Objects of Traefik by the ids that annotations name them by, and why a name leads to none.
//!
//! It does not know what an object means.

use sluice_proto::{ObjectReference, Problem};

use crate::custom::CustomKind;
use crate::duty::Duty;
use crate::needs::{Lacking, SecretReader};
use crate::objects::{Name, Objects};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::traefik::annotations::Named;
use crate::traefik::kept::{Kept, Meaning, normalised};
use crate::traefik::objects::{MiddlewareKind, ServersTransportKind, TlsOptionKind};
use crate::traefik::tls_option::ClientTls;
use crate::traefik::transport::Transport;

/// A kind of Traefik's objects.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// What is done with requests.
    Middleware,
    /// How endpoints are spoken to.
    ServersTransport,
    /// How TLS is spoken with clients.
    TlsOption,
}

/// What annotations name an object by: its kind, and its namespace and name with everything else than letters and digits
/// made one hyphen. Several objects may have the same.
pub(crate) type Id = (Kind, String);

/// What is kept of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stored {
    Middleware(Kept<Meaning>),
    ServersTransport(Kept<Transport>),
    TlsOption(Kept<ClientTls>),
}

/// What objects of one kind mean.
pub(crate) trait Meant: Sized + 'static {
    const KIND: Kind;

    fn of(stored: &Stored) -> Option<&Kept<Self>>;
}

/// The codes of what can be wrong with objects of a kind, and with names of them.
pub(super) struct Codes {
    pub(super) ambiguous: ProblemCode,
    pub(super) differs: ProblemCode,
    pub(super) malformed: ProblemCode,
    pub(super) missing: ProblemCode,
    pub(super) unsupported: ProblemCode,
    pub(super) unusable: ProblemCode,
}

/// What cannot be had, and what it costs whoever names it.
pub(super) struct Flaw {
    pub(super) code: ProblemCode,
    pub(super) duty: Duty,
    pub(super) reason: String,
    pub(super) remedy: String,
}

impl Kind {
    /// Returns the kind of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::Middleware, Self::ServersTransport, Self::TlsOption];
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the id of an object of this kind.
    pub(crate) fn id(self, namespace: &str, name: &str) -> Id {
        (self, normalised(&format!("{namespace}-{name}")))
    }

    /// Returns the id that an annotation names one by. Traefik writes those of TLSOptions with every character.
    pub(super) fn written(self, id: &str) -> Id {
        let id = match self {
            Self::Middleware | Self::ServersTransport => id.to_owned(),
            Self::TlsOption => normalised(id),
        };
        (self, id)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Middleware => MiddlewareKind::KIND,
            Self::ServersTransport => ServersTransportKind::KIND,
            Self::TlsOption => TlsOptionKind::KIND,
        }
    }

    pub(super) const fn codes(self) -> &'static Codes {
        match self {
            Self::Middleware => &OF_MIDDLEWARES,
            Self::ServersTransport | Self::TlsOption => &OF_OTHERS,
        }
    }
}

impl Stored {
    /// Returns the namespace of the object.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Middleware(kept) => &kept.object.namespace,
            Self::ServersTransport(kept) => &kept.object.namespace,
            Self::TlsOption(kept) => &kept.object.namespace,
        }
    }

    /// Returns the names of the Secrets of its namespace that it needs.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Middleware(kept) => kept.secrets(),
            Self::ServersTransport(kept) => {
                (kept.meaning.iter()).flat_map(Transport::secrets).collect()
            }
            Self::TlsOption(kept) => (kept.meaning.iter()).flat_map(ClientTls::secrets).collect(),
        }
    }

    /// Returns the ids of the objects that it stands for.
    pub(crate) fn ids(&self) -> Vec<Id> {
        match self {
            Self::Middleware(kept) => kept.ids(),
            Self::ServersTransport(_) | Self::TlsOption(_) => Vec::new(),
        }
    }
}

impl Meant for Meaning {
    const KIND: Kind = Kind::Middleware;

    fn of(stored: &Stored) -> Option<&Kept<Self>> {
        match stored {
            Stored::Middleware(kept) => Some(kept),
            _ => None,
        }
    }
}

impl Meant for Transport {
    const KIND: Kind = Kind::ServersTransport;

    fn of(stored: &Stored) -> Option<&Kept<Self>> {
        match stored {
            Stored::ServersTransport(kept) => Some(kept),
            _ => None,
        }
    }
}

impl Meant for ClientTls {
    const KIND: Kind = Kind::TlsOption;

    fn of(stored: &Stored) -> Option<&Kept<Self>> {
        match stored {
            Stored::TlsOption(kept) => Some(kept),
            _ => None,
        }
    }
}

impl Flaw {
    /// Returns that of an object that is there, but cannot be used.
    pub(super) fn unusable(kind: Kind, duty: Duty, reason: String) -> Self {
        let name = kind.name();
        Self {
            code: kind.codes().unusable,
            duty,
            reason,
            remedy: format!(
                "Mend the {name}, or name it no more if the routes may be served without"
            ),
        }
    }

    /// Returns the fault of an object of this kind that names it.
    pub(super) fn fault(&self, kind: &str) -> Fault {
        let routes = if kind == "Service" {
            "the routes to it"
        } else {
            "its routes"
        };
        let cost = match self.duty {
            Duty::Protects => "answer 503",
            Duty::Improves => "are served without",
        };
        let message = format!("{}; {routes} {cost}", self.reason);
        Fault::new(self.code, message, self.remedy.clone())
    }
}

/// Returns what an object comes to that one of the annotations of `user` names, once `complete` has read what else it needs;
/// or why the routes of `user` answer 503.
pub(super) fn follow<M: Meant, T>(
    objects: &Objects,
    (key, named): (&str, Named<'_>),
    user: &ObjectReference,
    problems: &mut Problems,
    complete: impl FnOnce(&M, SecretReader<'_, '_>) -> Result<T, Lacking>,
) -> Result<T, Box<Problem>> {
    let flaw = match find::<M>(objects, named) {
        Err(flaw) => flaw,
        Ok(kept) => {
            for problem in &kept.problems {
                problems.add(problem.clone());
            }
            let reader = SecretReader {
                objects,
                object: &kept.object,
                problems,
            };
            let meaning = kept.meaning.as_ref().map_err(String::clone);
            let complete = meaning
                .and_then(|meaning| complete(meaning, reader).map_err(|lacking| lacking.reason));
            match complete {
                Ok(complete) => return Ok(complete),
                Err(reason) => {
                    let reason = format!("the {} cannot be used ({reason})", kept.object);
                    Flaw::unusable(M::KIND, kept.duty, reason)
                }
            }
        }
    };
    let field = format!("metadata.annotations[{key}]");
    let problem = flaw.fault(&user.kind).at(user, field);
    problems.add(problem.clone());
    Err(Box::new(problem))
}

/// Returns what a name stands for.
pub(super) fn find<'a, M: Meant>(
    objects: &'a Objects,
    named: Named<'_>,
) -> Result<&'a Kept<M>, Flaw> {
    let name = M::KIND.name();
    let id = match named {
        Named::Id(id) => id,
        Named::Foreign(foreign) => {
            return Err(Flaw {
                code: M::KIND.codes().unsupported,
                duty: Duty::Protects,
                reason: format!("{foreign} is no {name} of Kubernetes, and Sluice reads no other"),
                remedy: format!("Write a {name}, and name it NAMESPACE-NAME@kubernetescrd"),
            });
        }
    };
    let own_id = M::KIND.written(id);
    let mut found = objects.named::<M>(&own_id);
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(first), Some(second)) => Err(Flaw {
            code: M::KIND.codes().ambiguous,
            duty: Duty::Protects,
            reason: format!(
                "{id}@kubernetescrd may be the {} or the {}",
                first.object, second.object
            ),
            remedy: "Give one of them another name".to_owned(),
        }),
        (None, _) => Err(missing::<M>(&format!(
            "{id}@kubernetescrd (its namespace, a hyphen, its name)"
        ))),
    }
}

/// Returns the object of this namespace and name.
pub(super) fn find_by_name<'a, M: Meant>(
    objects: &'a Objects,
    (namespace, name): &Name,
) -> Result<&'a Kept<M>, Flaw> {
    let id = M::KIND.id(namespace, name);
    let mut same_id = objects.named::<M>(&id);
    let own = same_id.find(|kept| kept.object.namespace == *namespace && kept.object.name == *name);
    own.ok_or_else(|| missing::<M>(&format!("{namespace}/{name}")))
}

fn missing<M: Meant>(which: &str) -> Flaw {
    let name = M::KIND.name();
    Flaw {
        code: M::KIND.codes().missing,
        duty: Duty::Protects,
        reason: format!("there is no {name} {which}"),
        remedy: format!("Create the {name}, or correct its name"),
    }
}

const OF_MIDDLEWARES: Codes = Codes {
    ambiguous: ProblemCode::MiddlewareAmbiguous,
    differs: ProblemCode::MiddlewareDiffers,
    malformed: ProblemCode::MiddlewareMalformed,
    missing: ProblemCode::MiddlewareMissing,
    unsupported: ProblemCode::MiddlewareUnsupported,
    unusable: ProblemCode::MiddlewareUnusable,
};
const OF_OTHERS: Codes = Codes {
    ambiguous: ProblemCode::TraefikObjectAmbiguous,
    differs: ProblemCode::TraefikObjectDiffers,
    malformed: ProblemCode::TraefikObjectMalformed,
    missing: ProblemCode::TraefikObjectMissing,
    unsupported: ProblemCode::TraefikObjectUnsupported,
    unusable: ProblemCode::TraefikObjectUnusable,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_letters_digits_and_single_hyphens() {
        let id = |namespace, name| Kind::Middleware.id(namespace, name).1;
        assert_eq!(id("default", "a"), "default-a");
        assert_eq!(id("a-b", "c"), id("a", "b-c"));
        assert_eq!(id("a", "b.c"), "a-b-c");
        assert_eq!(id("a", "b--c"), "a-b-c");
    }
}
