//! What of an object of Traefik is kept: what it means, as far as it says so itself, and what is wrong with it.
//!
//! It does not know what the Secrets and the other objects hold that it names (`attach.rs`, `named.rs`). Policies that need nothing
//! else are made here, once, however many routes name them.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_proto::{ObjectReference, Policy, PolicyAction, Problem};

use crate::duty::Duty;
use crate::needs::{NamedSecret, Needs};
use crate::problem::{Fault, ProblemCode};
use crate::traefik::kinds::{KINDS, Link};
use crate::traefik::named::{Codes, Id, Kind};
use crate::traefik::objects::Middleware;
use crate::yaml;

/// What of an object is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Kept<M> {
    pub(crate) object: ObjectReference,
    pub(crate) duty: Duty,
    /// What it means, or why it means nothing.
    pub(crate) meaning: Result<M, String>,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// What a Middleware means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// These, in their order.
    Policies(Vec<Arc<Policy>>),
    /// A policy that is not complete without what Secrets of its namespace hold.
    Needs(Box<Needs<Policy>>),
    /// Other Middlewares.
    Chain(Vec<Link>),
}

/// Why an object means nothing: in which field, relative to the one that is read.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) reason: String,
    /// Whether it says what it means, but Sluice does not do it.
    is_unsupported: bool,
    /// If it is not the usual one.
    remedy: Option<&'static str>,
}

/// What an object says in one of its fields, while it is read.
pub(super) struct Spec<'a> {
    object: &'a ObjectReference,
    /// Such as `spec.rateLimit`.
    field: String,
    duty: Duty,
    value: &'a Value,
    problems: Vec<Problem>,
}

impl Kept<Meaning> {
    pub(crate) fn of(object: ObjectReference, middleware: &Middleware) -> Self {
        let kind = match kind(&middleware.spec) {
            Ok(kind) => kind,
            Err(reason) => {
                let wrong = Wrong::new("", reason);
                return Self::broken(object, Duty::Protects, "spec", wrong, Vec::new());
            }
        };
        let field = format!("spec.{}", kind.0);
        let Some((_, duty, parse)) = KINDS.iter().find(|(name, _, _)| *name == kind.0) else {
            let wrong = Wrong::unsupported_kind(kind.0);
            return Self::broken(object, Duty::Protects, &field, wrong, Vec::new());
        };
        Self::read(object, *duty, field, kind.1, *parse)
    }

    /// Returns the names of the Secrets of its namespace that it needs.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match &self.meaning {
            Ok(Meaning::Needs(needs)) => needs.secrets(),
            _ => Vec::new(),
        }
    }

    /// Returns the ids of the Middlewares that it stands for.
    pub(crate) fn ids(&self) -> Vec<Id> {
        match &self.meaning {
            Ok(Meaning::Chain(links)) => links.iter().filter_map(Link::id).collect(),
            _ => Vec::new(),
        }
    }
}

impl<M> Kept<M> {
    /// Reads what an object says in a field.
    pub(super) fn read(
        object: ObjectReference,
        duty: Duty,
        field: String,
        value: &Value,
        parse: impl FnOnce(&mut Spec<'_>) -> Result<M, Wrong>,
    ) -> Self {
        let mut spec = Spec {
            object: &object,
            field,
            duty,
            value,
            problems: Vec::new(),
        };
        let read = parse(&mut spec);
        let Spec {
            field, problems, ..
        } = spec;
        match read {
            Ok(meaning) => Self {
                object,
                duty,
                meaning: Ok(meaning),
                problems,
            },
            Err(wrong) => Self::broken(object, duty, &field, wrong, problems),
        }
    }

    fn broken(
        object: ObjectReference,
        duty: Duty,
        field: &str,
        wrong: Wrong,
        mut problems: Vec<Problem>,
    ) -> Self {
        let codes = codes(&object);
        let (code, remedy) = if wrong.is_unsupported {
            (
                codes.unsupported,
                "Remove the field, or name it no more if the routes may be served without"
                    .to_owned(),
            )
        } else {
            (codes.malformed, format!("Correct the {}", object.kind))
        };
        let message = format!("{}; {}", wrong.reason, duty.cost());
        let field = below(field, &wrong.field);
        let fault = Fault::new(code, message, wrong.remedy.unwrap_or(&remedy));
        problems.push(fault.at(&object, field.clone()));
        Self {
            meaning: Err(format!("{field}: {}", wrong.reason)),
            problems,
            object,
            duty,
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

    /// Returns the Secret of its namespace that this field below its kind's names.
    pub(super) fn secret(&self, field: &str, name: String) -> NamedSecret {
        NamedSecret {
            field: below(&self.field, field),
            name,
        }
    }

    /// Notes that this is not done as Traefik does it.
    pub(super) fn differs(&mut self, field: &str, how: &str, remedy: &str) {
        let fault = Fault::new(codes(self.object).differs, how, remedy);
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
            is_unsupported: false,
            remedy: None,
        }
    }

    /// Returns that of a field that asks for what Sluice does not do.
    pub(super) fn unsupported(field: impl Into<String>, what: &str) -> Self {
        Self {
            is_unsupported: true,
            ..Self::new(field, format!("Sluice does not support {what}"))
        }
    }

    /// Returns that of a kind of Middleware that Sluice does not have.
    fn unsupported_kind(kind: &str) -> Self {
        Self {
            remedy: Some(
                "Remove the Middleware from the Ingresses that name it, if their routes may be served without",
            ),
            ..Self::unsupported("", kind)
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

/// Returns a name with everything else than letters and digits made one hyphen.
pub(super) fn normalised(joined: &str) -> String {
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

/// Returns the codes of problems of an object.
fn codes(object: &ObjectReference) -> &'static Codes {
    Kind::parse(&object.kind)
        .unwrap_or(Kind::Middleware)
        .codes()
}
