//! Finds a Secret that somebody refers to, or says why it cannot be had.

use sluice_proto::ObjectReference;

use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode};
use crate::secret::Content;

/// Why a Secret cannot be had.
#[derive(Debug)]
pub(crate) struct Absent {
    code: ProblemCode,
    pub(crate) reason: String,
    remedy: String,
}

impl Absent {
    /// Returns the fault of whoever names the Secret, with what it costs.
    pub(crate) fn fault(self, costs: &str) -> Fault {
        Fault::new(self.code, format!("{}; {costs}", self.reason), self.remedy)
    }
}

/// Returns what a Secret holds.
pub(crate) fn lookup<'a>(
    objects: &'a Objects,
    namespace: &str,
    name: &str,
) -> Result<&'a Content, Absent> {
    if let Some(content) = objects.secret(namespace, name) {
        return Ok(content);
    }
    Err(if objects.are_secrets_denied(namespace) {
        Absent {
            code: ProblemCode::SecretsForbidden,
            reason: format!(
                "Sluice may not read Secrets of the namespace {namespace}, so not {name}"
            ),
            remedy: format!(
                "kubectl create rolebinding sluice-secret-reader --namespace {namespace} \
                 --clusterrole=sluice-secret-reader --serviceaccount=sluice-system:sluice-control-plane"
            ),
        }
    } else {
        Absent {
            code: ProblemCode::SecretMissing,
            reason: format!("there is no Secret {namespace}/{name}"),
            remedy: "Create the Secret, or correct its name".to_owned(),
        }
    })
}

/// Returns the Secret as problems name it.
pub(crate) fn reference(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference {
        kind: "Secret".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
