//! What objects need of Secrets of their namespace, and what is not complete without.
//!
//! It does not know the dialect that they are written in. Of what is broken each object says its part: the Secret what is
//! wrong with it, and the object that names it what it lacks; whoever names that says what it costs.

use bytes::Bytes;
use sluice_proto::{
    CertificateMaterial, Credential, ObjectReference, Policy, PolicyAction, Problem, UpstreamTls,
};

use crate::certificates::malformed_secret;
use crate::duty::Duty;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::secret::{self, Content, Malformed, lookup};

/// What is not complete without what Secrets of its namespace hold: a policy, or how servers are spoken to by TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Needs<T> {
    pub(crate) incomplete: T,
    pub(crate) secrets: NamedSecrets,
}

/// The Secrets that something needs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NamedSecrets {
    /// With user names and passwords.
    pub(crate) credentials: Option<NamedSecret>,
    /// With certificates of authorities.
    pub(crate) authorities: Vec<NamedSecret>,
    /// With a certificate to show, and its key.
    pub(crate) certificate: Option<NamedSecret>,
}

/// A Secret that an object names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedSecret {
    /// The field that names it.
    pub(crate) field: String,
    pub(crate) name: String,
}

/// Why what an object says cannot be had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lacking {
    /// For whoever names its object.
    pub(crate) reason: String,
    /// As its object says it.
    pub(crate) problem: Box<Problem>,
}

/// What reads the Secrets that one object names.
pub(crate) struct SecretReader<'a, 'b> {
    pub(crate) objects: &'a Objects,
    pub(crate) object: &'b ObjectReference,
    pub(crate) problems: &'b mut Problems,
}

impl<T> Needs<T> {
    /// Returns the names of the Secrets.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let NamedSecrets {
            credentials,
            authorities,
            certificate,
        } = &self.secrets;
        let named = credentials.iter().chain(authorities).chain(certificate);
        named.map(|secret| secret.name.as_str()).collect()
    }
}

impl Needs<Policy> {
    /// Returns the policy with what it needs, or why it cannot be had.
    pub(crate) fn complete(&self, mut reader: SecretReader<'_, '_>) -> Result<Policy, Lacking> {
        let mut policy = self.incomplete.clone();
        match &mut policy.action {
            PolicyAction::BasicAuth(auth) => {
                if let Some(named) = &self.secrets.credentials {
                    auth.credentials.clone_from(reader.credentials(named)?);
                }
            }
            PolicyAction::ForwardAuth(auth) => reader.complete_tls(&mut auth.tls, &self.secrets)?,
            PolicyAction::ClientCertificate(certificate) => {
                for named in &self.secrets.authorities {
                    let authorities = certificate.authorities.get_or_insert_default();
                    authorities.extend_from_slice(reader.authorities(named)?);
                }
            }
            _ => {}
        }
        Ok(policy)
    }
}

impl Needs<UpstreamTls> {
    /// Returns it with what it needs, or why it cannot be had.
    pub(crate) fn complete(
        &self,
        mut reader: SecretReader<'_, '_>,
    ) -> Result<UpstreamTls, Lacking> {
        let mut tls = self.incomplete.clone();
        reader.complete_tls(&mut tls, &self.secrets)?;
        Ok(tls)
    }
}

impl<'a> SecretReader<'a, '_> {
    /// Returns the users that it holds.
    fn credentials(&mut self, named: &NamedSecret) -> Result<&'a Vec<Credential>, Lacking> {
        let part = |content: &'a Content| content.credentials.as_ref();
        self.read(named, part, credentials_malformed)
    }

    fn complete_tls(
        &mut self,
        tls: &mut UpstreamTls,
        secrets: &NamedSecrets,
    ) -> Result<(), Lacking> {
        for named in &secrets.authorities {
            tls.authorities.extend_from_slice(self.authorities(named)?);
        }
        if let Some(named) = &secrets.certificate {
            let found = self.certificate(named)?;
            tls.chain.clone_from(&found.chain);
            tls.private_key.clone_from(&found.private_key);
        }
        Ok(())
    }

    /// Returns the certificates of authorities that it holds.
    fn authorities(&mut self, named: &NamedSecret) -> Result<&'a Vec<Bytes>, Lacking> {
        let part = |content: &'a Content| content.authorities.as_ref();
        self.read(named, part, authorities_malformed)
    }

    /// Returns the certificate and key that it holds.
    fn certificate(&mut self, named: &NamedSecret) -> Result<&'a CertificateMaterial, Lacking> {
        let part = |content: &'a Content| content.certificate.as_ref();
        self.read(named, part, malformed_secret)
    }

    fn read<T>(
        &mut self,
        NamedSecret { field, name }: &NamedSecret,
        part: impl FnOnce(&'a Content) -> Result<&'a T, &'a Malformed>,
        wrong: fn(&str, &str, &Malformed) -> Problem,
    ) -> Result<&'a T, Lacking> {
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
        let problem = fault.at(self.object, field.clone());
        self.problems.add(problem.clone());
        Err(Lacking {
            reason,
            problem: Box::new(problem),
        })
    }
}

fn credentials_malformed(namespace: &str, name: &str, malformed: &Malformed) -> Problem {
    let fault = Fault::new(
        ProblemCode::CredentialsMalformed,
        format!(
            "it holds no user names and passwords that can be used: {}",
            malformed.reason
        ),
        "Put lines of htpasswd (bcrypt, apr1 or SHA) under one key, or username and password into a Secret of the type \
         kubernetes.io/basic-auth",
    );
    fault.at(&secret::reference(namespace, name), malformed.field())
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
