//! From what an Ingress or a Service names to policies: chains are followed, Secrets are read.
//!
//! It does not read what a Middleware says (`kept.rs`). Of what is broken each says its part: the Secret what is wrong with
//! it, the Middleware what it lacks, and the object that names the Middleware what that costs its routes.

use std::sync::Arc;

use sluice_proto::{ObjectReference, Policy, Problem, TlsVersion};

use crate::duty::Duty;
use crate::needs::SecretReader;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};
use crate::traefik::annotations::{Annotations, Named, lists};
use crate::traefik::kept::{Kept, Meaning};
use crate::traefik::kinds::Link;
use crate::traefik::named::{Flaw, Kind, find, find_by_name};
use crate::traefik::tls_option::demands;

/// What the TLSOption and the Middlewares come to that an object names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attached {
    /// In the order in which they run; none if not all can be had.
    pub(crate) policies: Vec<Arc<Policy>>,
    /// The lowest version of TLS that clients may speak.
    pub(crate) tls_minimum_version: TlsVersion,
    /// Why the routes answer 503, if they do.
    pub(crate) unavailable: Option<Problem>,
}

/// Returns what the TLSOption and the Middlewares come to that the annotations of an Ingress or a Service name.
pub(crate) fn attach(
    objects: &Objects,
    annotations: Option<&Annotations>,
    object: &ObjectReference,
    problems: &mut Problems,
) -> Attached {
    let mut attached = Attached::default();
    if object.kind == "Ingress" {
        match demands(objects, annotations, object, problems) {
            Ok(demands) => {
                attached.policies = demands.policies;
                attached.tls_minimum_version = demands.minimum_version;
            }
            Err(problem) => attached.unavailable = Some(*problem),
        }
    }
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
        attached.policies.extend(expansion.policies);
    } else {
        attached.policies.clear();
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

impl<'a> Expansion<'a, '_> {
    fn named(&mut self, named: Named<'_>) {
        match find(self.objects, named) {
            Ok(kept) => self.expand(kept),
            Err(flaw) => self.flaws.push(flaw),
        }
    }

    fn expand(&mut self, kept: &'a Kept<Meaning>) {
        for problem in &kept.problems {
            self.problems.add(problem.clone());
        }
        match &kept.meaning {
            Ok(Meaning::Policies(policies)) => self.policies.extend(policies.iter().cloned()),
            Ok(Meaning::Needs(needs)) => {
                let reader = SecretReader {
                    objects: self.objects,
                    object: &kept.object,
                    problems: self.problems,
                };
                match needs.complete(reader) {
                    Ok(policy) => self.policies.push(Arc::new(policy)),
                    Err(lacking) => self.flaw(kept, &lacking.reason),
                }
            }
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

    fn link(&mut self, chain: &'a Kept<Meaning>, index: usize, link: &Link) {
        let found = match link {
            Link::Object(name) => find_by_name(self.objects, name),
            Link::Id(id) => find(self.objects, Named::Id(id)),
            Link::Foreign(name) => find(self.objects, Named::Foreign(name)),
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
            Err(Flaw {
                code,
                reason,
                remedy,
                ..
            }) => {
                let message = format!("{reason}; {}", Duty::Protects.cost());
                let problem = Fault::new(code, message, remedy);
                let field = format!("spec.chain.middlewares[{index}]");
                self.problems.add(problem.at(&chain.object, field));
                self.flaw(chain, &reason);
            }
        }
    }

    fn flaw(&mut self, kept: &Kept<Meaning>, reason: &str) {
        let own = &kept.object;
        let reason = match self.above.first() {
            Some(named) if *named != own => {
                format!("the {named} stands for the {own}, which cannot be used ({reason})")
            }
            _ => format!("the {own} cannot be used ({reason})"),
        };
        let flaw = Flaw::unusable(Kind::Middleware, kept.duty, reason);
        self.flaws.push(flaw);
    }
}

fn malformed(reason: String) -> Flaw {
    Flaw {
        code: ProblemCode::MiddlewareMalformed,
        duty: Duty::Protects,
        reason,
        remedy: "Shorten the chain".to_owned(),
    }
}

/// How many Middlewares may come of one list: chains may name chains, and a few that name each other twice would be millions.
const MOST: usize = 100;
