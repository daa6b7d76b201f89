//! Reads what objects of Traefik need of Secrets of their namespace.
//!
//! Of what is broken each says its part: the Secret what is wrong with it, the object that names it what that costs.

use bytes::Bytes;
use sluice_proto::{CertificateMaterial, ObjectReference, Problem};

use crate::certificates::malformed_secret;
use crate::duty::Duty;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::secret::{self, Content, Malformed, lookup};

/// What reads the Secrets of one object.
pub(super) struct SecretReader<'a, 'b> {
    pub(super) objects: &'a Objects,
    pub(super) object: &'b ObjectReference,
    pub(super) problems: &'b mut Problems,
}

impl<'a> SecretReader<'a, '_> {
    /// Returns a part of the Secret that the object names in this field.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        field: String,
        part: impl FnOnce(&'a Content) -> Result<&'a T, &'a Malformed>,
        wrong: fn(&str, &str, &Malformed) -> Problem,
    ) -> Result<&'a T, String> {
        let namespace = &self.object.namespace;
        let costs = Duty::Protects.cost();
        let (reason, fault) = match lookup(self.objects, namespace, name) {
            Ok(content) => match part(content) {
                Ok(part) => return Ok(part),
                Err(malformed) => {
                    self.problems.add(wrong(namespace, name, malformed));
                    let reason =
                        format!("the Secret {namespace}/{name} does not hold what it needs");
                    let message = format!("{reason}; {costs}");
                    let fault = Fault::new(ProblemCode::SecretUnusable, message, "Mend the Secret");
                    (reason, fault)
                }
            },
            Err(absent) => (absent.reason.clone(), absent.fault(costs)),
        };
        self.problems.add(fault.at(self.object, field));
        Err(reason)
    }

    /// Returns the certificates of authorities that it holds.
    pub(super) fn authorities(
        &mut self,
        name: &str,
        field: String,
    ) -> Result<&'a Vec<Bytes>, String> {
        let part = |content: &'a Content| content.authorities.as_ref();
        self.read(name, field, part, authorities_malformed)
    }

    /// Returns the certificate and key that it holds.
    pub(super) fn certificate(
        &mut self,
        name: &str,
        field: String,
    ) -> Result<&'a CertificateMaterial, String> {
        let part = |content: &'a Content| content.certificate.as_ref();
        self.read(name, field, part, malformed_secret)
    }
}

fn authorities_malformed(namespace: &str, name: &str, malformed: &Malformed) -> Problem {
    let fault = Fault::new(
        ProblemCode::AuthoritiesMalformed,
        format!(
            "it holds no certificates of authorities that can be used: {}",
            malformed.reason
        ),
        "Put PEM certificates under ca.crt",
    );
    fault.at(&secret::reference(namespace, name), malformed.field())
}
