//! From the Middlewares that an Ingress or a Service names to policies: chains are followed, Secrets are read.
//!
//! It does not read what a Middleware says (`kept.rs`). Of what is broken each says its part: the Secret what is wrong with
//! it, the Middleware what it lacks, and the object that names the Middleware what that costs its routes.

use std::sync::Arc;

use sluice_proto::{ObjectReference, Policy, PolicyAction, Problem};

use crate::certificates::malformed_secret;
use crate::objects::{Name, Objects};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::secret::{self, Content, Malformed, lookup};
use crate::traefik::Duty;
use crate::traefik::annotations::{Annotations, Named, lists};
use crate::traefik::kept::{Kept, Meaning, cost};
use crate::traefik::kinds::{Link, NeedsSecrets};

/// What the Middlewares come to that an object names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attached {
    /// In the order in which they run; none if not all can be had.
    pub(crate) policies: Vec<Arc<Policy>>,
    /// Why the routes answer 503, if they do.
    pub(crate) unavailable: Option<Problem>,
}

/// Returns what the Middlewares come to that the annotations of an Ingress or a Service name.
pub(crate) fn attach(
    objects: &Objects,
    annotations: Option<&Annotations>,
    object: &ObjectReference,
    problems: &mut Problems,
) -> Attached {
    let mut attached = Attached::default();
    let mut expansion = Expansion {
        objects,
        problems,
        policies: Vec::new(),
        flaws: Vec::new(),
        above: Vec::new(),
        count: 0,
    };
    for (key, list) in lists(annotations, &object.kind) {
        for named in list {
            expansion.named(named);
            for flaw in std::mem::take(&mut expansion.flaws) {
                let field = format!("metadata.annotations[{key}]");
                let problem = flaw.fault(&object.kind).at(object, field);
                expansion.problems.add(problem.clone());
                if flaw.duty == Duty::Protects {
                    attached.unavailable.get_or_insert(problem);
                }
            }
        }
    }
    if attached.unavailable.is_none() {
        attached.policies = expansion.policies;
    }
    attached
}

/// What becomes of a list of names, while it is followed.
struct Expansion<'a, 'b> {
    objects: &'a Objects,
    problems: &'b mut Problems,
    policies: Vec<Arc<Policy>>,
    flaws: Vec<Flaw>,
    /// The chains that lead to where it is.
    above: Vec<&'a ObjectReference>,
    /// Of Middlewares so far.
    count: usize,
}

/// What cannot be had, and what it costs whoever names it.
struct Flaw {
    code: ProblemCode,
    duty: Duty,
    reason: String,
    remedy: String,
}

/// Why a name leads to no Middleware.
struct NoMiddleware {
    code: ProblemCode,
    reason: String,
    remedy: &'static str,
}

impl<'a> Expansion<'a, '_> {
    fn named(&mut self, named: Named<'_>) {
        let found = match named {
            Named::Id(id) => by_id(self.objects, id),
            Named::Foreign(name) => Err(foreign(name)),
        };
        match found {
            Ok(kept) => self.expand(kept),
            Err(NoMiddleware {
                code,
                reason,
                remedy,
            }) => self.flaws.push(Flaw {
                code,
                duty: Duty::Protects,
                reason,
                remedy: remedy.to_owned(),
            }),
        }
    }

    fn expand(&mut self, kept: &'a Kept) {
        for problem in &kept.problems {
            self.problems.add(problem.clone());
        }
        match &kept.meaning {
            Ok(Meaning::Policies(policies)) => self.policies.extend(policies.iter().cloned()),
            Ok(Meaning::Needs(needs)) => match complete(self.objects, needs, self.problems) {
                Ok(policy) => self.policies.push(Arc::new(policy)),
                Err(reason) => self.flaw(kept, &reason),
            },
            Ok(Meaning::Chain(links)) => {
                self.above.push(&kept.object);
                for (index, link) in links.iter().enumerate() {
                    self.link(kept, index, link);
                }
                self.above.pop();
            }
            Err(reason) => self.flaw(kept, reason),
        }
    }

    fn link(&mut self, chain: &'a Kept, index: usize, link: &Link) {
        let found = match link {
            Link::Object(name) => by_name(self.objects, name),
            Link::Id(id) => by_id(self.objects, id),
            Link::Foreign(name) => Err(foreign(name)),
        };
        self.count += 1;
        let found = found.and_then(|kept| {
            if self.above.contains(&&kept.object) {
                Err(malformed(format!(
                    "the {} leads back to itself",
                    kept.object
                )))
            } else if self.count > MOST {
                Err(malformed(format!(
                    "more than {MOST} Middlewares come of one annotation"
                )))
            } else {
                Ok(kept)
            }
        });
        match found {
            Ok(kept) => self.expand(kept),
            // One answer is enough for what may be thousands.
            Err(_) if self.count > MOST + 1 => {}
            Err(NoMiddleware {
                code,
                reason,
                remedy,
            }) => {
                let message = format!("{reason}; {}", cost(Duty::Protects));
                let problem = Fault::new(code, message, remedy);
                let field = format!("spec.chain.middlewares[{index}]");
                self.problems.add(problem.at(&chain.object, field));
                self.flaw(chain, &reason);
            }
        }
    }

    fn flaw(&mut self, kept: &Kept, reason: &str) {
        let own = &kept.object;
        let reason = match self.above.first() {
            Some(named) if *named != own => {
                format!("the {named} stands for the {own}, which cannot be used ({reason})")
            }
            _ => format!("the {own} cannot be used ({reason})"),
        };
        self.flaws.push(Flaw {
            code: ProblemCode::MiddlewareUnusable,
            duty: kept.duty,
            reason,
            remedy: "Mend the Middleware, or name it no more if the routes may be served without"
                .to_owned(),
        });
    }
}

impl Flaw {
    /// Returns the fault of an object of this kind that names it.
    fn fault(&self, kind: &str) -> Fault {
        let routes = if kind == "Service" {
            "the routes to it"
        } else {
            "its routes"
        };
        let cost = match self.duty {
            Duty::Protects => "answer 503",
            Duty::Improves => "are served without",
        };
        let message = format!("{}; {routes} {cost}", self.reason);
        Fault::new(self.code, message, self.remedy.clone())
    }
}

fn by_name<'a>(objects: &'a Objects, (namespace, name): &Name) -> Result<&'a Kept, NoMiddleware> {
    objects
        .middleware(namespace, name)
        .ok_or_else(|| NoMiddleware {
            code: ProblemCode::MiddlewareMissing,
            reason: format!("there is no Middleware {namespace}/{name}"),
            remedy: "Create the Middleware, or correct its name",
        })
}

fn by_id<'a>(objects: &'a Objects, id: &str) -> Result<&'a Kept, NoMiddleware> {
    let mut found = objects.middlewares_with(id);
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(first), Some(second)) => Err(NoMiddleware {
            code: ProblemCode::MiddlewareAmbiguous,
            reason: format!(
                "{id}@kubernetescrd may be the {} or the {}",
                first.object, second.object
            ),
            remedy: "Give one of them another name",
        }),
        (None, _) => Err(NoMiddleware {
            code: ProblemCode::MiddlewareMissing,
            reason: format!(
                "there is no Middleware {id}@kubernetescrd (its namespace, a hyphen, its name)"
            ),
            remedy: "Create the Middleware, or correct its name",
        }),
    }
}

fn foreign(name: &str) -> NoMiddleware {
    NoMiddleware {
        code: ProblemCode::MiddlewareUnsupported,
        reason: format!("{name} is no Middleware of Kubernetes, and Sluice reads no other"),
        remedy: "Write a Middleware, and name it NAMESPACE-NAME@kubernetescrd",
    }
}

fn malformed(reason: String) -> NoMiddleware {
    NoMiddleware {
        code: ProblemCode::MiddlewareMalformed,
        reason,
        remedy: "Shorten the chain",
    }
}

/// Returns the policy with what it needs of Secrets, or why it cannot be had.
fn complete(
    objects: &Objects,
    needs: &NeedsSecrets,
    problems: &mut Problems,
) -> Result<Policy, String> {
    let mut policy = needs.policy.clone();
    let mut reader = SecretReader {
        objects,
        policy: &needs.policy,
        problems,
    };
    match &mut policy.action {
        PolicyAction::BasicAuth(auth) => {
            let credentials = reader.read(
                needs.credentials.as_ref(),
                "secret",
                |content| content.credentials.as_ref(),
                credentials_malformed,
            )?;
            auth.credentials = credentials.cloned().unwrap_or_default();
        }
        PolicyAction::ForwardAuth(auth) => {
            let authorities = reader.read(
                needs.authorities.as_ref(),
                "tls.caSecret",
                |content| content.authorities.as_ref(),
                authorities_malformed,
            )?;
            auth.tls.authorities = authorities.cloned().unwrap_or_default();
            let certificate = reader.read(
                needs.certificate.as_ref(),
                "tls.certSecret",
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

/// What reads the Secrets of one policy.
struct SecretReader<'a, 'b> {
    objects: &'a Objects,
    policy: &'b Policy,
    problems: &'b mut Problems,
}

impl<'a> SecretReader<'a, '_> {
    /// Returns a part of the Secret that the policy's object names in this field, if it does.
    fn read<T>(
        &mut self,
        name: Option<&String>,
        field: &str,
        part: impl FnOnce(&'a Content) -> Result<&'a T, &'a Malformed>,
        wrong: fn(&str, &str, &Malformed) -> Problem,
    ) -> Result<Option<&'a T>, String> {
        let Some(name) = name else {
            return Ok(None);
        };
        let namespace = &self.policy.object.namespace;
        let costs = cost(Duty::Protects);
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
        let field = format!("{}.{field}", self.policy.field);
        self.problems.add(fault.at(&self.policy.object, field));
        Err(reason)
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

/// How many Middlewares may come of one list: chains may name chains, and a few that name each other twice would be millions.
const MOST: usize = 100;
