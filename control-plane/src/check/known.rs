//! What the objects of an input cannot tell, because they are hardly ever all that a cluster has.
//!
//! The rule: what the input has nothing of is unknown, not absent, and what is unknown is a note, not a problem. It does not
//! change what is translated but for classes (`written.rs`).

use std::collections::BTreeSet;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use sluice_proto::{ObjectReference, Problem};
use sluice_translate::{Object, ProblemCode};

use crate::check::notes::{Note, NoteCode};

/// Which kinds of objects the input tells everything about.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) classes: bool,
    pub(super) services: bool,
    settings: bool,
    policies: bool,
    middlewares: bool,
    transports: bool,
    tls_options: bool,
    certificates: bool,
    endpoints: bool,
    /// Namespace and name of those that have EndpointSlices.
    services_with_slices: BTreeSet<(String, String)>,
}

impl Known {
    pub(super) fn of(objects: &[Object]) -> Self {
        let mut known = Self::default();
        for object in objects {
            match object {
                Object::IngressClass(_) => known.classes = true,
                Object::Service(_) => known.services = true,
                Object::Settings(_) => known.settings = true,
                Object::Policy(_) => known.policies = true,
                // A folder often has Secrets of its applications, and none of its certificates.
                Object::Secret(secret) => {
                    known.certificates |= secret.type_.as_deref() == Some("kubernetes.io/tls");
                }
                Object::EndpointSlice(slice) => known.slice(slice),
                Object::Middleware(_) => known.middlewares = true,
                Object::ServersTransport(_) => known.transports = true,
                Object::TlsOption(_) => known.tls_options = true,
                Object::Ingress(_) | Object::Node(_) => {}
            }
        }
        known
    }

    fn slice(&mut self, slice: &EndpointSlice) {
        let label = |label: &str| {
            slice
                .metadata
                .labels
                .as_ref()?
                .get(label)
                .map(String::as_str)
        };
        // Whoever has one that Kubernetes wrote asked a cluster for all of them; one that a user wrote is for its Service.
        self.endpoints |= label(MANAGED_BY) == Some(KUBERNETES);
        if let Some(service) = label(SERVICE_NAME) {
            let namespace = slice.metadata.namespace.clone().unwrap_or_default();
            self.services_with_slices
                .insert((namespace, service.to_owned()));
        }
    }

    /// Returns whether the input can tell that this is a problem, or else the note that says that it cannot.
    pub(super) fn judge(&self, problem: &Problem) -> Result<(), Note> {
        let is = |code: ProblemCode| problem.code == code.to_string();
        if is_of_policy(problem)
            && (is(ProblemCode::SecretMissing) || is(ProblemCode::ServiceMissing))
        {
            return Ok(());
        }
        let (is_known, code, message) = if is(ProblemCode::ServiceMissing) {
            (
                self.services,
                NoteCode::ServicesNotChecked,
                "there is no Service in the input: backends are shown as they are written",
            )
        } else if is(ProblemCode::SettingsMissing) {
            (
                self.settings,
                NoteCode::SettingsNotChecked,
                "there are no Settings in the input: those that classes name are not checked",
            )
        } else if is(ProblemCode::PolicyMissing) || is(ProblemCode::PolicyNotShared) {
            (
                self.policies,
                NoteCode::PoliciesNotChecked,
                "there are no Policies in the input: those that Ingresses name are not checked",
            )
        } else if is(ProblemCode::SecretMissing) {
            (
                self.certificates,
                NoteCode::SecretsNotChecked,
                "there is no Secret of type kubernetes.io/tls in the input: certificates are not checked",
            )
        } else if is(ProblemCode::NoEndpoints) {
            let ObjectReference {
                namespace, name, ..
            } = &problem.object;
            (
                self.are_endpoints_known(namespace, name),
                NoteCode::EndpointsNotChecked,
                "there is no EndpointSlice in the input that Kubernetes wrote: whether pods are ready is not checked",
            )
        } else {
            return self.judge_of_traefik(problem);
        };
        verdict(is_known, code, message)
    }

    fn judge_of_traefik(&self, problem: &Problem) -> Result<(), Note> {
        let is = |code: ProblemCode| problem.code == code.to_string();
        if is(ProblemCode::MiddlewareMissing) {
            let message = "there are no Middlewares in the input: those that Ingresses and Services name are not checked";
            return verdict(self.middlewares, NoteCode::MiddlewaresNotChecked, message);
        }
        if is(ProblemCode::TraefikObjectMissing) {
            let is_known = if problem.object.kind == "Service" {
                self.transports
            } else {
                self.tls_options
            };
            let message = "there are no ServersTransports or TLSOptions in the input: those that Services and Ingresses name \
                           are not checked";
            return verdict(is_known, NoteCode::TraefikObjectsNotChecked, message);
        }
        Ok(())
    }

    /// Returns whether it is known which endpoints a Service has.
    pub(super) fn are_endpoints_known(&self, namespace: &str, service: &str) -> bool {
        let service = (namespace.to_owned(), service.to_owned());
        self.endpoints || self.services_with_slices.contains(&service)
    }
}

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const KUBERNETES: &str = "endpointslice-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";

fn verdict(is_known: bool, code: NoteCode, message: &str) -> Result<(), Note> {
    if is_known {
        Ok(())
    } else {
        Err(Note::new(code, message))
    }
}

/// Returns whether a policy lacks something: then nobody could tell from the paths that the input shows what guards them.
fn is_of_policy(problem: &Problem) -> bool {
    let of_annotation = problem.field.starts_with("metadata.annotations");
    match problem.object.kind.as_str() {
        "Ingress" | "Service" => of_annotation,
        "Policy" | "Middleware" | "ServersTransport" | "TLSOption" => true,
        _ => false,
    }
}
