//! An Ingress that is served: its rules with their hosts parsed, in the order in which Ingresses count.
//!
//! It does not make routes (`routes.rs`).

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressTLS,
};
use sluice_proto::{HostPattern, ObjectReference};

use crate::class::{Classes, Served};
use crate::object;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::settings::IngressSettings;

/// An Ingress that is served.
pub(crate) struct ServedIngress<'a> {
    pub(crate) reference: ObjectReference,
    pub(crate) created_unix_s: i64,
    pub(crate) annotations: Option<&'a BTreeMap<String, String>>,
    /// Those whose host can be used.
    pub(crate) rules: Vec<Rule<'a>>,
    /// Whether it has no rule at all, not even one that cannot be used.
    pub(crate) is_ruleless: bool,
    pub(crate) default_backend: Option<&'a IngressBackend>,
    pub(crate) tls: &'a [IngressTLS],
}

/// A rule whose host can be used.
pub(crate) struct Rule<'a> {
    pub(crate) index: usize,
    pub(crate) host: HostPattern,
    pub(crate) paths: &'a [HTTPIngressPath],
}

impl ServedIngress<'_> {
    /// Returns the hosts that it claims, each with the field that says so. Without rules that is any host.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (HostPattern, String)> {
        let rules = self.rules.iter();
        let hosts = rules.map(|rule| {
            (
                rule.host.clone(),
                format!("spec.rules[{}].host", rule.index),
            )
        });
        let any = self
            .is_ruleless
            .then(|| (HostPattern::Any, "spec.defaultBackend".to_owned()));
        hosts.chain(any)
    }
}

/// Returns the Ingresses that are served, in the order in which they count: the oldest first, then by namespace and
/// name.
pub(crate) fn served<'a>(
    objects: &'a Objects,
    settings: &IngressSettings,
    problems: &mut Problems,
) -> Vec<ServedIngress<'a>> {
    let classes = Classes::new(objects.classes(), &settings.controllers);
    classes.report(problems);
    let mut served = Vec::new();
    for ingress in objects.ingresses() {
        match classes.served(ingress) {
            Served::Yes => served.push(parse(ingress, problems)),
            Served::No => {}
            Served::ClassMissing(class) => {
                let fault = class_missing(class, objects.classes());
                let reference = object::reference(ingress, &ingress.metadata);
                problems.add(fault.at(&reference, "spec.ingressClassName"));
            }
        }
    }
    // The sort is stable, and objects come by namespace and name.
    served.sort_by_key(|ingress| ingress.created_unix_s);
    served
}

fn parse<'a>(ingress: &'a Ingress, problems: &mut Problems) -> ServedIngress<'a> {
    let reference = object::reference(ingress, &ingress.metadata);
    let spec = ingress.spec.as_ref();
    let written = spec
        .and_then(|spec| spec.rules.as_deref())
        .unwrap_or_default();
    let mut rules = Vec::new();
    for (index, rule) in written.iter().enumerate() {
        match HostPattern::parse(rule.host.as_deref().unwrap_or_default()) {
            Ok(host) => rules.push(Rule {
                index,
                host,
                paths: rule.http.as_ref().map_or(&[], |http| http.paths.as_slice()),
            }),
            Err(error) => {
                let fault = Fault::new(
                    ProblemCode::HostInvalid,
                    format!(
                        "{error}. No request can ask for it, so nothing of this rule is served"
                    ),
                    "Write a DNS name, or *. and a DNS name",
                );
                problems.add(fault.at(&reference, format!("spec.rules[{index}].host")));
            }
        }
    }
    let default_backend = spec.and_then(|spec| spec.default_backend.as_ref());
    if written.is_empty() && default_backend.is_none() {
        let fault = Fault::new(
            ProblemCode::IngressEmpty,
            "it has neither a rule nor a default backend; nothing is served",
            "Give it a rule or a default backend",
        );
        problems.add(fault.at(&reference, "spec"));
    }
    ServedIngress {
        created_unix_s: (ingress.metadata.creation_timestamp.as_ref())
            .map_or(0, |created| created.0.as_second()),
        annotations: ingress.metadata.annotations.as_ref(),
        rules,
        is_ruleless: written.is_empty() && default_backend.is_some(),
        default_backend,
        tls: spec
            .and_then(|spec| spec.tls.as_deref())
            .unwrap_or_default(),
        reference,
    }
}

fn class_missing(class: &str, classes: &BTreeMap<String, IngressClass>) -> Fault {
    let names: Vec<_> = classes.keys().map(String::as_str).collect();
    let there_are = match names.as_slice() {
        [] => "there are none".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    Fault::new(
        ProblemCode::ClassMissing,
        format!("there is no IngressClass {class}, so Sluice does not serve it"),
        format!("Create the IngressClass, or name one that exists ({there_are})"),
    )
}
