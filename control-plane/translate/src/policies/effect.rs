//! What a field of a Policy comes to: a policy, what is still to be looked up for one, or a choice among backends.
//!
//! It does not look anything up: `attach.rs` does.

use std::sync::Arc;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{IngressBackend, IngressServiceBackend, ServiceBackendPort};
use sluice_proto::{
    BackendName, ObjectReference, Policy, PolicyAction, RequestMatch, SameSite, Sticky,
    UpstreamTls, Version,
};

use crate::needs::{NamedSecret, Needs};
use crate::policies::short::ANNOTATION;

/// What a field of a Policy, or an annotation, comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// This policy.
    Policy(Arc<Policy>),
    /// A policy that is not complete without what Secrets hold.
    Needs(Box<Needs<Policy>>),
    /// An address filter that is not complete without the ranges of sets.
    Filter(Box<Filter>),
    /// Nothing, but this Service has to be there.
    Service(NeededService),
    /// TLS with endpoints.
    UpstreamTls(Box<UpstreamTlsWish>),
    /// A cookie by which clients come back to their endpoint.
    Sticky(StickyWish),
    /// Another Service for a part of the requests.
    Canary(Box<Canary>),
}

/// An address filter, with the names of sets whose ranges count, too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Filter {
    /// With the ranges that are written there.
    pub(crate) policy: Policy,
    pub(crate) allowed_sets: Vec<String>,
    pub(crate) denied_sets: Vec<String>,
}

/// A Service that has to be there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NeededService {
    /// Whose object names it, and in which field.
    pub(crate) object: ObjectReference,
    pub(crate) field: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// TLS with endpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UpstreamTlsWish {
    /// Whose object says so.
    pub(crate) object: ObjectReference,
    pub(crate) needs: Needs<UpstreamTls>,
}

/// A cookie by which clients come back to their endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StickyWish {
    /// `None` for one of its own for each backend.
    pub(crate) cookie: Option<String>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) max_age_s: i64,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
}

/// Another Service for a part of the requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Canary {
    /// Whose object says so, and in which field.
    pub(crate) object: ObjectReference,
    pub(crate) field: String,
    /// Of the namespace of the Ingress.
    pub(crate) service: String,
    pub(crate) port: u16,
    /// Of a hundred.
    pub(crate) weight: u32,
    /// Requests that one of these finds go there.
    pub(crate) matches: Vec<RequestMatch>,
}

/// Where something is said: by a Policy, or by an annotation.
#[derive(Clone, Copy)]
pub(super) enum Said<'a> {
    /// Below `spec` of this object.
    Policy(&'a ObjectReference),
    /// In this field of an Ingress.
    Annotation(&'a ObjectReference, &'a str),
}

/// Why a field means nothing.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Below `spec`, such as `cors.origins`.
    pub(super) field: String,
    pub(super) reason: String,
}

impl StickyWish {
    /// Returns the cookie of a route to this backend.
    pub(crate) fn of_backend(&self, backend: &BackendName) -> Sticky {
        let own = || {
            // Two backends of one host must not overwrite each other's; and strangers read no names.
            let mut name = format!("sluice-{}", Version::of(backend.to_string().as_bytes()));
            name.truncate(NAME_LENGTH);
            name
        };
        Sticky {
            cookie: self.cookie.clone().unwrap_or_else(own),
            secure: self.secure,
            http_only: self.http_only,
            same_site: self.same_site,
            max_age_s: self.max_age_s,
            path: self.path.clone(),
            domain: self.domain.clone(),
        }
    }
}

impl Canary {
    /// Returns the backend as an Ingress would name it.
    pub(crate) fn backend(&self) -> IngressBackend {
        IngressBackend {
            service: Some(IngressServiceBackend {
                name: self.service.clone(),
                port: Some(ServiceBackendPort {
                    number: Some(i32::from(self.port)),
                    name: None,
                }),
            }),
            resource: None,
        }
    }

    /// Returns the field by which this Ingress has it.
    pub(crate) fn field_of(&self, ingress: &ObjectReference) -> String {
        if self.object == *ingress {
            self.field.clone()
        } else {
            format!("metadata.annotations[{ANNOTATION}]")
        }
    }
}

impl<'a> Said<'a> {
    pub(super) const fn object(self) -> &'a ObjectReference {
        let (Self::Policy(object) | Self::Annotation(object, _)) = self;
        object
    }

    /// Returns the field of the object that this one below `spec` is.
    pub(super) fn field(self, below: &str) -> String {
        match (self, below) {
            (Self::Policy(_), "") => "spec".to_owned(),
            (Self::Policy(_), below) => format!("spec.{below}"),
            (Self::Annotation(_, field), _) => field.to_owned(),
        }
    }

    pub(super) fn policy(self, field: &str, action: PolicyAction) -> Policy {
        Policy::new(self.object().clone(), self.field(field), action)
    }

    pub(super) fn does(self, field: &str, action: PolicyAction) -> Effect {
        Effect::Policy(Arc::new(self.policy(field, action)))
    }

    pub(super) fn secret(self, field: &str, name: String) -> NamedSecret {
        NamedSecret {
            field: self.field(field),
            name,
        }
    }
}

impl Filter {
    /// Returns the policy with the ranges of the sets.
    pub(crate) fn complete(&self, allowed: Vec<IpNet>, denied: Vec<IpNet>) -> Policy {
        let mut policy = self.policy.clone();
        if let PolicyAction::AddressFilter(filter) = &mut policy.action {
            for (ranges, more) in [(&mut filter.allowed, allowed), (&mut filter.denied, denied)] {
                ranges.extend(more);
                ranges.sort();
                ranges.dedup();
            }
        }
        policy
    }
}

impl Wrong {
    pub(super) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

/// "sluice-" and eight digits.
const NAME_LENGTH: usize = 15;
