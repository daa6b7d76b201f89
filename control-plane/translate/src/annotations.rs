//! What the annotations of an Ingress or a Service ask for, and what it costs that Sluice does not do it.
//!
//! It does not know the dialects: each says itself which policies an object names (`traefik.rs`, `policies.rs`). An annotation that
//! protects or confines must not be lost silently: whatever carries it answers 503 and says so. The others are only reported.

mod foreign;

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_proto::{ObjectReference, Policy, Problem, TlsVersion};

use crate::annotations::foreign::Loss;
use crate::objects::Objects;
use crate::policies;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::traefik;

/// What the annotations of an object mean for its routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    /// Why the routes answer 503, if they do.
    pub(crate) unavailable: Option<Problem>,
    /// The routes stand back behind every other route of the same host and path.
    pub(crate) yields: bool,
    /// What is done to the requests of the routes, in the order in which it is done.
    pub(crate) policies: Vec<Arc<Policy>>,
    /// The lowest version of TLS that clients may speak.
    pub(crate) tls_minimum_version: TlsVersion,
}

/// Returns whether the annotation of this key is read.
pub(crate) fn is_read(key: &str) -> bool {
    key.starts_with(OWN_PREFIX) || foreign::is_read(key)
}

/// Judges the annotations of an Ingress or a Service.
pub(crate) fn judge(
    objects: &Objects,
    annotations: Option<&BTreeMap<String, String>>,
    object: &ObjectReference,
    problems: &mut Problems,
) -> Judgement {
    let attached = traefik::attach(objects, annotations, object, problems);
    let mut judgement = Judgement {
        unavailable: attached.unavailable,
        yields: false,
        policies: attached.policies,
        tls_minimum_version: attached.tls_minimum_version,
    };
    let mut ignored = Vec::new();
    let mut unsupported = Vec::new();
    for (key, value) in annotations.into_iter().flatten() {
        if object.kind == "Ingress" && policies::is_known(key) {
            // `policies.rs` reads it.
        } else if key.starts_with(OWN_PREFIX) {
            let problem = unknown(key).at(object, field(key));
            problems.add(problem.clone());
            judgement.unavailable.get_or_insert(problem);
        } else if let Some((loss, reason)) = foreign::loss(key, value, &object.kind) {
            match loss {
                Loss::Protects => unsupported.push((key, reason)),
                Loss::Yields => {
                    judgement.yields = true;
                    unsupported.push((key, reason));
                }
                Loss::Harmless => ignored.push((key, reason)),
            }
        }
    }
    if let Some((key, _)) = unsupported.first() {
        let fault = Fault::new(
            ProblemCode::AnnotationUnsupported,
            format!(
                "Sluice does not support {}; without it more would be open than its author meant, so its routes \
                 answer 503",
                list(&unsupported)
            ),
            "Remove these annotations if the routes may be served without them",
        );
        let problem = fault.at(object, field(key));
        problems.add(problem.clone());
        judgement.unavailable.get_or_insert(problem);
    }
    if let Some((key, _)) = ignored.first() {
        let fault = Fault::new(
            ProblemCode::AnnotationIgnored,
            format!(
                "Sluice does not support {}; its routes are served without",
                list(&ignored)
            ),
            "Remove these annotations once nothing else reads them",
        );
        problems.add(fault.at(object, field(key)));
    }
    judgement
}

fn unknown(key: &str) -> Fault {
    Fault::new(
        ProblemCode::AnnotationUnknown,
        format!(
            "this version of Sluice knows no annotation {key}; it may be meant to protect, so the routes answer 503"
        ),
        "Correct its name or remove it",
    )
}

fn list(annotations: &[(&String, &str)]) -> String {
    let named: Vec<_> = annotations
        .iter()
        .map(|(key, reason)| format!("{key} ({reason})"))
        .collect();
    named.join(", ")
}

fn field(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

const OWN_PREFIX: &str = "ingress.sluice.dev/";
