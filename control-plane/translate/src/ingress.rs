//! An Ingress that is served: its rules with their hosts parsed.
//!
//! It does not make routes (`routes.rs`).

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressTLS};
use sluice_proto::{HostPattern, ObjectReference, SettingsName};

use crate::object;
use crate::problem::{Fault, ProblemCode, Problems};

/// An Ingress that is served.
pub(crate) struct ServedIngress<'a> {
    pub(crate) reference: ObjectReference,
    pub(crate) created_unix_s: i64,
    /// Of its class.
    pub(crate) settings: SettingsName,
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

impl<'a> ServedIngress<'a> {
    /// Parses an Ingress that is served.
    pub(crate) fn parse(
        ingress: &'a Ingress,
        settings: SettingsName,
        problems: &mut Problems,
    ) -> Self {
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
        Self {
            created_unix_s: (ingress.metadata.creation_timestamp.as_ref())
                .map_or(0, |created| created.0.as_second()),
            settings,
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
