//! What of a Middleware is kept: what it means, as far as it says so itself, and what is wrong with it.
//!
//! It does not know what the Secrets and the other Middlewares hold that it names (`attach.rs`). Policies that need nothing
//! else are made here, once, however many routes name them.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_proto::{ObjectReference, Policy, PolicyAction, Problem};

use crate::problem::{Fault, ProblemCode};
use crate::traefik::Duty;
use crate::traefik::kinds::{KINDS, Link, NeedsSecrets};
use crate::traefik::middleware::Middleware;
use crate::yaml;

/// What of a Middleware is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Kept {
    pub(crate) object: ObjectReference,
    pub(crate) duty: Duty,
    /// What it means, or why it means nothing.
    pub(crate) meaning: Result<Meaning, String>,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// What a Middleware means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// These, in their order.
    Policies(Vec<Arc<Policy>>),
    /// A policy that is not complete without what Secrets of its namespace hold.
    Needs(Box<NeedsSecrets>),
    /// Other Middlewares.
    Chain(Vec<Link>),
}

/// Why a Middleware means nothing: in which field, relative to its kind's.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) reason: String,
}

/// What a Middleware says under its kind, while it is read.
pub(super) struct Spec<'a> {
    object: &'a ObjectReference,
    /// Such as `spec.rateLimit`.
    field: String,
    duty: Duty,
    value: &'a Value,
    problems: Vec<Problem>,
}

impl Kept {
    pub(crate) fn of(object: ObjectReference, middleware: &Middleware) -> Self {
        let kind = match kind(&middleware.spec) {
            Ok(kind) => kind,
            Err(reason) => {
                let fault = malformed(&reason, Duty::Protects);
                return Self::broken(object, Duty::Protects, fault, "spec".to_owned(), reason);
            }
        };
        let field = format!("spec.{}", kind.0);
        let Some((_, duty, parse)) = KINDS.iter().find(|(name, _, _)| *name == kind.0) else {
            let reason = format!("Sluice does not support {}", kind.0);
            let fault = unsupported(kind.0);
            return Self::broken(object, Duty::Protects, fault, field, reason);
        };
        let mut spec = Spec {
            object: &object,
            field,
            duty: *duty,
            value: kind.1,
            problems: Vec::new(),
        };
        match parse(&mut spec) {
            Ok(meaning) => {
                let problems = spec.problems;
                Self {
                    object,
                    duty: *duty,
                    meaning: Ok(meaning),
                    problems,
                }
            }
            Err(wrong) => {
                let field = below(&spec.field, &wrong.field);
                let fault = malformed(&wrong.reason, *duty);
                let reason = format!("{field}: {}", wrong.reason);
                Self::broken(object, *duty, fault, field, reason)
            }
        }
    }

    /// Returns the names of the Secrets of its namespace that it needs.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match &self.meaning {
            Ok(Meaning::Needs(needs)) => needs.secrets(),
            _ => Vec::new(),
        }
    }

    /// Returns the ids of the Middlewares that it stands for.
    pub(crate) fn ids(&self) -> Vec<String> {
        match &self.meaning {
            Ok(Meaning::Chain(links)) => links.iter().filter_map(Link::id).collect(),
            _ => Vec::new(),
        }
    }

    fn broken(
        object: ObjectReference,
        duty: Duty,
        fault: Fault,
        field: String,
        reason: String,
    ) -> Self {
        Self {
            problems: vec![fault.at(&object, field)],
            object,
            duty,
            meaning: Err(reason),
        }
    }
}

impl Spec<'_> {
    /// Reads the fields of its kind. One that is not known may be meant to protect.
    pub(super) fn read<T: DeserializeOwned>(&mut self) -> Result<T, Wrong> {
        let (read, unknown) = yaml::read_value(self.value)
            .map_err(|unreadable| Wrong::new(unreadable.field, unreadable.reason))?;
        for field in unknown {
            let reason = format!("the field {field} is not known");
            if self.duty == Duty::Protects {
                return Err(Wrong::new(field, reason));
            }
            let fault = Fault::new(
                ProblemCode::FieldUnknown,
                format!("{reason}; it has no effect"),
                "Correct its name or remove it",
            );
            self.problem(&field, fault);
        }
        Ok(read)
    }

    /// Returns the namespace that it is in.
    pub(super) fn namespace(&self) -> &str {
        &self.object.namespace
    }

    /// Returns the policies that do this, of which none is meant for anything else.
    pub(super) fn means(&self, action: PolicyAction) -> Meaning {
        Meaning::Policies(vec![self.policy("", action)])
    }

    /// Returns the policy that this field below its kind's asks for.
    pub(super) fn policy(&self, field: &str, action: PolicyAction) -> Arc<Policy> {
        let field = below(&self.field, field);
        Arc::new(Policy::new(self.object.clone(), field, action))
    }

    /// Notes that this is not done as Traefik does it.
    pub(super) fn differs(&mut self, field: &str, how: &str, remedy: &str) {
        let fault = Fault::new(ProblemCode::MiddlewareDiffers, how, remedy);
        self.problem(field, fault);
    }

    fn problem(&mut self, field: &str, fault: Fault) {
        let problem = fault.at(self.object, below(&self.field, field));
        self.problems.push(problem);
    }
}

impl Wrong {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Returns the same in a field below this one.
    pub(super) fn below(self, field: &str) -> Self {
        let field = match self.field.as_str() {
            "" => field.to_owned(),
            own => format!("{field}.{own}"),
        };
        Self { field, ..self }
    }
}

/// Returns the id of a Middleware, by which annotations name it: its namespace and name with everything else than letters
/// and digits made one hyphen. Several may have the same.
pub(crate) fn id(namespace: &str, name: &str) -> String {
    let joined = format!("{namespace}-{name}");
    let words = joined.split(|character: char| !character.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// Returns the one kind that a specification is of, and what it says under it.
fn kind(spec: &Value) -> Result<(&String, &Value), String> {
    let kinds = spec.as_object().into_iter().flatten();
    let kinds: Vec<_> = kinds.filter(|(_, value)| !value.is_null()).collect();
    match kinds.as_slice() {
        [kind] => Ok(*kind),
        [] => Err("it says nothing".to_owned()),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("it is of several kinds ({})", names.join(", ")))
        }
    }
}

fn below(field: &str, more: &str) -> String {
    match more {
        "" => field.to_owned(),
        more => format!("{field}.{more}"),
    }
}

fn malformed(reason: &str, duty: Duty) -> Fault {
    Fault::new(
        ProblemCode::MiddlewareMalformed,
        format!("{reason}; {}", cost(duty)),
        "Correct the Middleware",
    )
}

fn unsupported(kind: &str) -> Fault {
    Fault::new(
        ProblemCode::MiddlewareUnsupported,
        format!("Sluice does not support {kind}; {}", cost(Duty::Protects)),
        "Remove the Middleware from the Ingresses that name it, if their routes may be served without",
    )
}

/// Returns what it costs that a Middleware cannot be used.
pub(super) const fn cost(duty: Duty) -> &'static str {
    match duty {
        Duty::Protects => "the routes that need it answer 503",
        Duty::Improves => "the routes that name it are served without",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_letters_digits_and_single_hyphens() {
        assert_eq!(id("default", "a"), "default-a");
        assert_eq!(id("a-b", "c"), id("a", "b-c"));
        assert_eq!(id("a", "b.c"), "a-b-c");
        assert_eq!(id("a", "b--c"), "a-b-c");
    }
}
