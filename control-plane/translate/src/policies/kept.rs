//! What of a Policy, or of the annotations of an Ingress, is kept: what each field comes to, as far as it says so itself, and
//! what is wrong with it.
//!
//! Each field is read on its own: one that is broken costs what it would have done, and no other. It does not know what the
//! Secrets, sets and Services hold that it names (`attach.rs`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sluice_proto::{ObjectReference, Problem};

use crate::custom::{Custom, PolicyKind};
use crate::duty::Duty;
use crate::needs::Lacking;
use crate::policies::effect::{Effect, Said, Wrong};
use crate::policies::order::place;
use crate::policies::schema::SCHEMA;
use crate::policies::spec::PolicySpec;
use crate::problem::{Fault, ProblemCode};
use crate::schema::{Step, no_mapping};

/// What of a Policy, or of the annotations of an Ingress, is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Kept {
    pub(crate) object: ObjectReference,
    /// In the order in which they run.
    pub(crate) parts: Vec<Part>,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
    share_with: BTreeSet<String>,
}

/// What one field, or one annotation, says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    /// What it costs that it cannot be had.
    pub(crate) duty: Duty,
    /// What it comes to, in the order in which it is done.
    pub(crate) effects: Result<Vec<Effect>, Lacking>,
}

impl Kept {
    pub(crate) fn of(object: ObjectReference, policy: &Custom<PolicyKind>) -> Self {
        let none = Map::new();
        let fields = match &policy.spec {
            Value::Object(fields) => fields,
            Value::Null => &none,
            _ => {
                let wrong = Wrong::new("", "it is no mapping");
                let part = Part {
                    duty: Duty::Protects,
                    effects: Err(malformed(Said::Policy(&object), Duty::Protects, wrong)),
                };
                return Self::new(object, vec![part]);
            }
        };
        let mut share_with = Ok(BTreeSet::new());
        let mut parts = Vec::new();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            if name == SHARE_WITH {
                share_with = shared(value);
                continue;
            }
            let (at, duty) = place(name);
            let said = Said::Policy(&object);
            let effects = read(name, value, said).map_err(|wrong| malformed(said, duty, wrong));
            parts.push((at, Part { duty, effects }));
        }
        parts.sort_by_key(|(at, _)| *at);
        let parts = parts.into_iter().map(|(_, part)| part).collect();
        let (share_with, wrong) = match share_with {
            Ok(namespaces) => (namespaces, None),
            Err(wrong) => (
                BTreeSet::new(),
                Some(not_shared(wrong).into_problem(&object)),
            ),
        };
        let mut kept = Self::new(object, parts);
        kept.share_with = share_with;
        kept.problems.extend(wrong);
        kept
    }

    pub(super) fn new(object: ObjectReference, parts: Vec<Part>) -> Self {
        let broken = parts.iter().filter_map(|part| part.effects.as_ref().err());
        Self {
            problems: broken
                .map(|broken| Problem::clone(&broken.problem))
                .collect(),
            object,
            parts,
            share_with: BTreeSet::new(),
        }
    }

    /// Returns whether Ingresses of this namespace may name it.
    pub(crate) fn is_shared_with(&self, namespace: &str) -> bool {
        self.object.namespace == namespace
            || self.share_with.contains(namespace)
            || self.share_with.contains("*")
    }

    /// Returns the names of the Secrets of its namespace that it needs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = self.effects().filter_map(|effect| match effect {
            Effect::Needs(needs) => Some(needs.secrets()),
            Effect::UpstreamTls(wish) => Some(wish.needs.secrets()),
            _ => None,
        });
        secrets.flatten()
    }

    /// Returns namespace and name of the Services that it sends requests to, where `user` is the namespace of whoever names it.
    pub(crate) fn services<'a>(
        &'a self,
        user: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.effects().filter_map(move |effect| match effect {
            Effect::Canary(canary) => Some((user, canary.service.as_str())),
            Effect::Service(needed) => Some((needed.namespace.as_str(), needed.name.as_str())),
            _ => None,
        })
    }

    fn effects(&self) -> impl Iterator<Item = &Effect> {
        let effects = self
            .parts
            .iter()
            .filter_map(|part| part.effects.as_ref().ok());
        effects.flatten()
    }
}

/// Reads one field.
pub(super) fn read(name: &str, value: &Value, said: Said<'_>) -> Result<Vec<Effect>, Wrong> {
    spec(name, value)?.effects(said)
}

fn spec(name: &str, value: &Value) -> Result<PolicySpec, Wrong> {
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    // A list, too, could be taken for the fields of a mapping, in their order.
    if let Some(steps) = no_mapping(SCHEMA.root(), &alone) {
        return Err(Wrong::new(&path(&steps), "it is no mapping"));
    }
    serde_path_to_error::deserialize(&alone)
        .map_err(|error| Wrong::new(&error.path().to_string(), error.inner().to_string()))
}

fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.push_str(&format!(".{name}")),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

fn shared(value: &Value) -> Result<BTreeSet<String>, Wrong> {
    let namespaces = spec(SHARE_WITH, value)?.share_with.unwrap_or_default();
    Ok(namespaces
        .into_iter()
        .map(|namespace| namespace.0)
        .collect())
}

fn malformed(said: Said<'_>, duty: Duty, wrong: Wrong) -> Lacking {
    let field = said.field(&wrong.field);
    let fault = Fault::new(
        ProblemCode::PolicyMalformed,
        format!("{}; {}", wrong.reason, duty.cost()),
        "Correct it; kubectl explain policies.spec --api-version=ingress.sluice.dev/v1alpha1 says what may stand there",
    );
    Lacking {
        reason: format!("{field}: {}", wrong.reason),
        problem: Box::new(fault.at(said.object(), field)),
    }
}

fn not_shared(wrong: Wrong) -> FaultIn {
    let fault = Fault::new(
        ProblemCode::PolicyMalformed,
        format!(
            "{}; the Policy is shared with no other namespace",
            wrong.reason
        ),
        "Correct it; kubectl explain policies.spec --api-version=ingress.sluice.dev/v1alpha1 says what may stand there",
    );
    FaultIn(format!("spec.{}", wrong.field), fault)
}

/// A fault and the field that it is in.
struct FaultIn(String, Fault);

impl FaultIn {
    fn into_problem(self, object: &ObjectReference) -> Problem {
        self.1.at(object, self.0)
    }
}

const SHARE_WITH: &str = "shareWith";
