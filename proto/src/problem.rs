//! Problems: what is wrong with an object, as data.

use std::fmt;

use crate::wire;

/// Something wrong with an object that a user wrote: which, where, what it costs and how to mend it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Ord, PartialOrd)]
pub struct Problem {
    /// The object to mend.
    pub object: ObjectReference,
    /// Where in it, such as `spec.rules[0].host`.
    pub field: String,
    /// A short constant in CamelCase, such as `ServiceMissing`.
    pub code: String,
    /// What is wrong and what it costs.
    pub message: String,
    /// How to mend it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}. {}", self.message, self.remedy)
    }
}

/// A Kubernetes object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectReference {
    /// Such as `Ingress`.
    pub kind: String,
    /// Empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl From<wire::Problem> for Problem {
    fn from(problem: wire::Problem) -> Self {
        Self {
            object: problem.object.unwrap_or_default().into(),
            field: problem.field,
            code: problem.code,
            message: problem.message,
            remedy: problem.remedy,
        }
    }
}

impl From<&Problem> for wire::Problem {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code.clone(),
            object: Some((&problem.object).into()),
            field: problem.field.clone(),
            message: problem.message.clone(),
            remedy: problem.remedy.clone(),
        }
    }
}

impl From<wire::ObjectReference> for ObjectReference {
    fn from(object: wire::ObjectReference) -> Self {
        Self {
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
        }
    }
}

impl From<&ObjectReference> for wire::ObjectReference {
    fn from(object: &ObjectReference) -> Self {
        Self {
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    }
}
