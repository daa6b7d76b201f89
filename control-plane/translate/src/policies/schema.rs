//! What a Policy can say, for API servers and for documents.

use std::sync::LazyLock;

use serde_json::Value;

use crate::custom::PolicyKind;
use crate::duty::Duty;
use crate::policies::order::FIELDS;
use crate::policies::short::ANNOTATIONS;
use crate::policies::spec::PolicySpec;
use crate::schema::{SpecField, Tree, definition};

/// A step in the order in which policies run, for documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyStep {
    /// The field of a Policy.
    pub field: &'static str,
    /// Whether the routes answer 503 without it.
    pub protects: bool,
}

/// An annotation that is short for a field of a Policy, for documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyAnnotation {
    /// Its key.
    pub key: String,
    /// The field that it is short for.
    pub field: &'static str,
    /// What may stand there.
    pub example: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Returns each field that a Policy can have, in the order of their names.
#[must_use]
pub fn policy_fields() -> Vec<SpecField> {
    SCHEMA.list()
}

/// Returns the order in which policies run.
#[must_use]
pub fn policy_steps() -> Vec<PolicyStep> {
    let steps = FIELDS.iter().map(|(field, duty)| PolicyStep {
        field,
        protects: *duty == Duty::Protects,
    });
    steps.collect()
}

/// Returns the annotations that are short for fields of a Policy, in the order in which they run.
#[must_use]
pub fn policy_annotations() -> Vec<PolicyAnnotation> {
    let annotations = ANNOTATIONS.iter().map(|annotation| PolicyAnnotation {
        key: annotation.key(),
        field: annotation.field,
        example: annotation.example,
        meaning: annotation.meaning,
    });
    annotations.collect()
}

/// Returns the CustomResourceDefinition that makes an API server know the kind Policy.
#[must_use]
pub fn policy_definition() -> Value {
    let description = "What Sluice does to the requests of the Ingresses whose annotation \
        ingress.sluice.dev/policies names it, and to the responses.";
    definition::<PolicyKind>(&SCHEMA, "policy", description)
}

pub(super) static SCHEMA: LazyLock<Tree> = LazyLock::new(Tree::of::<PolicySpec>);
