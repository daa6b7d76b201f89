//! Policies that are not complete without what Secrets hold, and how they become complete.
//!
//! It does not know the dialect that they are written in. Of what is broken each object says its part: the Secret what is
//! wrong with it, and the policy's object what it lacks; whoever names that says what it costs.

use sluice_proto::{Policy, PolicyAction, Problem};

use crate::certificates::malformed_secret;
use crate::duty::Duty;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::secret::{self, Content, Malformed, lookup};

/// A policy that is not complete without what Secrets of its namespace hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NeedsSecrets {
    /// Without it.
    pub(crate) policy: Policy,
    /// The Secret with user names and passwords, if it needs such.
    pub(crate) credentials: Option<NamedSecret>,
    /// The Secret with the certificates of authorities.
    pub(crate) authorities: Option<NamedSecret>,
    /// The Secret with a client's certificate.
    pub(crate) certificate: Option<NamedSecret>,
}

/// A Secret that the object of a policy names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedSecret {
    /// The field that names it.
    pub(crate) field: String,
    pub(crate) name: String,
}

/// Why a policy cannot be had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lacking {
    /// For whoever names its object.
    pub(crate) reason: String,
    /// As its object says it.
    pub(crate) problem: Box<Problem>,
}

impl NeedsSecrets {
    /// Returns the names of the Secrets.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let named = [&self.credentials, &self.authorities, &self.certificate];
        let named = named.into_iter().flatten();
        named.map(|secret| secret.name.as_str()).collect()
    }

    /// Returns the policy with what it needs, or why it cannot be had.
    pub(crate) fn complete(
        &self,
        objects: &Objects,
        problems: &mut Problems,
    ) -> Result<Policy, Lacking> {
        let mut policy = self.policy.clone();
        let mut reader = Reader {
            objects,
            policy: &self.policy,
            problems,
        };
        match &mut policy.action {
            PolicyAction::BasicAuth(auth) => {
                let credentials = reader.read(
                    self.credentials.as_ref(),
                    |content| content.credentials.as_ref(),
                    credentials_malformed,
                )?;
                auth.credentials = credentials.cloned().unwrap_or_default();
            }
            PolicyAction::ForwardAuth(auth) => {
                let authorities = reader.read(
                    self.authorities.as_ref(),
                    |content| content.authorities.as_ref(),
                    authorities_malformed,
                )?;
                auth.tls.authorities = authorities.cloned().unwrap_or_default();
                let certificate = reader.read(
                    self.certificate.as_ref(),
                    |content| content.certificate.as_ref(),
                    malformed_secret,
                )?;
                if let Some(certificate) = certificate {
                    auth.tls.chain.clone_from(&certificate.chain);
                    auth.tls.private_key.clone_from(&certificate.private_key);
                }
            }
            _ => {}
        }
        Ok(policy)
    }
}

/// What reads the Secrets of one policy.
struct Reader<'a, 'b> {
    objects: &'a Objects,
    policy: &'b Policy,
    problems: &'b mut Problems,
}

impl<'a> Reader<'a, '_> {
    /// Returns a part of a Secret that the policy's object names, if it does.
    fn read<T>(
        &mut self,
        named: Option<&NamedSecret>,
        part: impl FnOnce(&'a Content) -> Result<&'a T, &'a Malformed>,
        wrong: fn(&str, &str, &Malformed) -> Problem,
    ) -> Result<Option<&'a T>, Lacking> {
        let Some(NamedSecret { field, name }) = named else {
            return Ok(None);
        };
        let namespace = &self.policy.object.namespace;
        let costs = Duty::Protects.cost();
        let (reason, fault) = match lookup(self.objects, namespace, name) {
            Ok(content) => match part(content) {
                Ok(part) => return Ok(Some(part)),
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
        let problem = fault.at(&self.policy.object, field.clone());
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
