//! From the Policies that an Ingress and the settings of its class name, and from its own annotations, to what its routes do:
//! Secrets are read, sets looked up.
//!
//! It does not read what a Policy says (`kept.rs`). Of what is broken each says its part: the Secret what is wrong with it,
//! the Policy what it lacks, and the Ingress what that costs its routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::ServiceSpec;
use sluice_proto::{ObjectReference, Policy, Problem, UpstreamTls};

use crate::backends::tcp_ports;
use crate::duty::Duty;
use crate::needs::{Lacking, SecretReader};
use crate::objects::Objects;
use crate::policies::effect::{Canary, Effect, Filter, NeededService, StickyWish};
use crate::policies::kept::{Kept, Part};
use crate::policies::short::{ANNOTATION, read};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::settings::{OfClass, PolicyReference, ProxySet};

/// What an Ingress wants of this dialect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attached {
    /// In the order in which they run; none if not all can be had.
    pub(crate) policies: Vec<Arc<Policy>>,
    /// How endpoints are spoken to by TLS, and whose object says so: the last one that is said.
    pub(crate) upstream_tls: Option<(ObjectReference, UpstreamTls)>,
    /// The last one that is said.
    pub(crate) sticky: Option<StickyWish>,
    /// The last one that is said.
    pub(crate) canary: Option<Canary>,
    /// Why the routes answer 503, if they do.
    pub(crate) unavailable: Option<Problem>,
}

/// Where an Ingress says what it wants.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) ingress: &'a ObjectReference,
    pub(crate) annotations: Option<&'a BTreeMap<String, String>>,
    /// The Policies of every route of its class.
    pub(crate) of_class: &'a OfClass,
    /// The sets that there are.
    pub(crate) sets: &'a BTreeMap<String, ProxySet>,
}

/// Returns what an Ingress wants.
pub(crate) fn attach(objects: &Objects, wanted: Wanted<'_>, problems: &mut Problems) -> Attached {
    let mut attaching = Attaching {
        objects,
        wanted,
        problems,
        attached: Attached::default(),
        seen: Vec::new(),
    };
    attaching.of_class(wanted.of_class);
    let mut names = named(wanted.annotations, &wanted.ingress.namespace).peekable();
    let says_policies = wanted
        .annotations
        .is_some_and(|annotations| annotations.contains_key(ANNOTATION));
    if says_policies && names.peek().is_none() {
        attaching.lose(
            names_none().at(wanted.ingress, field(false)),
            Duty::Protects,
        );
    }
    for name in names {
        attaching.policy(name, false);
    }
    let own = read(wanted.annotations, wanted.ingress);
    attaching.kept(&own, false);
    let mut attached = attaching.attached;
    if attached.unavailable.is_some() {
        attached.policies.clear();
    }
    attached
}

/// An empty list is more often a mistake of whatever wrote it than a wish for no policy.
fn names_none() -> Fault {
    Fault::new(
        ProblemCode::AnnotationMalformed,
        "it names no Policy; its routes answer 503",
        "Name one, or remove the annotation",
    )
}

/// Returns namespace and name of the Policies that the annotations of an Ingress name, in their order.
pub(crate) fn named<'a>(
    annotations: Option<&'a BTreeMap<String, String>>,
    own_namespace: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let list = annotations.and_then(|annotations| annotations.get(ANNOTATION));
    let names = list.into_iter().flat_map(|list| list.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(move |name| name.split_once('/').unwrap_or((own_namespace, name)))
}

struct Attaching<'a, 'b> {
    objects: &'a Objects,
    wanted: Wanted<'a>,
    problems: &'b mut Problems,
    attached: Attached,
    /// What was named already: to ask for a password twice would take it away before the second time.
    seen: Vec<(String, String)>,
}

impl Attaching<'_, '_> {
    fn of_class(&mut self, policies: &OfClass) {
        let lost = match policies {
            OfClass::Unknown => Fault::new(
                ProblemCode::SettingsMissing,
                "the settings of its class are not there, and may name Policies; its routes answer 503",
                "Create the Settings that the IngressClass names as its parameters, or correct their name",
            ),
            OfClass::These(these) if these.iter().any(PolicyReference::is_unreadable) => {
                Fault::new(
                    ProblemCode::PolicyUnusable,
                    "the settings of its class name Policies in a way that cannot be read; its routes answer 503",
                    "Correct spec.policies of the Settings",
                )
            }
            OfClass::These(these) => {
                for reference in these {
                    // Whoever writes settings may name any Policy.
                    self.policy((&reference.namespace, &reference.name), true);
                }
                return;
            }
        };
        self.lose(lost.at(self.wanted.ingress, field(true)), Duty::Protects);
    }

    fn policy(&mut self, (namespace, name): (&str, &str), of_class: bool) {
        let own = (namespace.to_owned(), name.to_owned());
        if self.seen.contains(&own) {
            return;
        }
        self.seen.push(own);
        let objects = self.objects;
        let fault = match objects.policy(namespace, name) {
            Some(kept) if of_class || kept.is_shared_with(&self.wanted.ingress.namespace) => {
                return self.kept(kept, of_class);
            }
            // Whether there is such a Policy is not everybody's business either.
            _ if !of_class && namespace != self.wanted.ingress.namespace => Fault::new(
                ProblemCode::PolicyNotShared,
                format!(
                    "there is no Policy {namespace}/{name} that is shared with the namespace {}; its routes answer 503",
                    self.wanted.ingress.namespace
                ),
                "Name that namespace in the Policy's spec.shareWith, or write a Policy beside the Ingress",
            ),
            _ if of_class => Fault::new(
                ProblemCode::PolicyMissing,
                format!(
                    "there is no Policy {namespace}/{name}, which the settings of its class name; its routes answer 503"
                ),
                "Create the Policy, or correct its name in the Settings",
            ),
            _ => Fault::new(
                ProblemCode::PolicyMissing,
                format!("there is no Policy {namespace}/{name}; its routes answer 503"),
                "Create the Policy, or correct its name",
            ),
        };
        let problem = fault.at(self.wanted.ingress, field(of_class));
        self.lose(problem, Duty::Protects);
    }

    fn kept(&mut self, kept: &Kept, of_class: bool) {
        for problem in &kept.problems {
            self.problems.add(problem.clone());
        }
        for part in &kept.parts {
            if let Err(lost) = self.part(part) {
                let problem = self.told(kept, part.duty, lost, of_class);
                self.lose(problem, part.duty);
            }
        }
    }

    fn part(&mut self, part: &Part) -> Result<(), Lacking> {
        let effects = part.effects.as_ref().map_err(Clone::clone)?;
        for effect in effects {
            match effect {
                Effect::Policy(policy) => self.attached.policies.push(Arc::clone(policy)),
                Effect::Needs(needs) => {
                    let policy = needs.complete(self.reader(&needs.incomplete.object))?;
                    self.attached.policies.push(Arc::new(policy));
                }
                Effect::Filter(filter) => {
                    let policy = self.filter(filter)?;
                    self.attached.policies.push(Arc::new(policy));
                }
                Effect::Service(needed) => self.service(needed)?,
                Effect::UpstreamTls(wish) => {
                    let tls = wish.needs.complete(self.reader(&wish.object))?;
                    self.attached.upstream_tls = Some((wish.object.clone(), tls));
                }
                Effect::Sticky(sticky) => self.attached.sticky = Some(sticky.clone()),
                Effect::Canary(canary) => self.attached.canary = Some(Canary::clone(canary)),
            }
        }
        Ok(())
    }

    fn service(&mut self, needed: &NeededService) -> Result<(), Lacking> {
        let NeededService {
            namespace,
            name,
            port,
            ..
        } = needed;
        let spec = (self.objects.service(namespace, name)).map(|service| service.spec.as_ref());
        let (code, reason, remedy) = match spec {
            None => (
                ProblemCode::ServiceMissing,
                format!("there is no Service {namespace}/{name}"),
                "Create the Service, or correct its name",
            ),
            Some(spec) if !has_port(spec, *port) => (
                ProblemCode::ServicePortMissing,
                format!("the Service {namespace}/{name} has no TCP port {port}"),
                "Name a port that it has",
            ),
            Some(_) => return Ok(()),
        };
        let fault = Fault::new(code, format!("{reason}; {}", Duty::Protects.cost()), remedy);
        let problem = fault.at(&needed.object, needed.field.clone());
        self.problems.add(problem.clone());
        Err(Lacking {
            reason,
            problem: Box::new(problem),
        })
    }

    fn reader<'b>(&'b mut self, object: &'b ObjectReference) -> SecretReader<'b, 'b> {
        SecretReader {
            objects: self.objects,
            object,
            problems: self.problems,
        }
    }

    fn filter(&mut self, filter: &Filter) -> Result<Policy, Lacking> {
        let allowed = self.ranges(filter, &filter.allowed_sets)?;
        let denied = self.ranges(filter, &filter.denied_sets)?;
        Ok(filter.complete(allowed, denied))
    }

    fn ranges(&mut self, filter: &Filter, sets: &[String]) -> Result<Vec<IpNet>, Lacking> {
        let mut ranges = Vec::new();
        for name in sets {
            let Some(set) = self.wanted.sets.get(name) else {
                let reason = format!("there is no set of ranges called {name}");
                let fault = Fault::new(
                    ProblemCode::AddressSetUnknown,
                    format!("{reason}; {}", Duty::Protects.cost()),
                    "Define it under proxySets of the Settings named edge, or correct its name",
                );
                let problem = fault.at(&filter.policy.object, filter.policy.field.clone());
                self.problems.add(problem.clone());
                return Err(Lacking {
                    reason,
                    problem: Box::new(problem),
                });
            };
            ranges.extend(&set.ranges);
        }
        Ok(ranges)
    }

    /// Returns what the Ingress is told: what it says itself is told already.
    fn told(&self, kept: &Kept, duty: Duty, lost: Lacking, of_class: bool) -> Problem {
        if kept.object == *self.wanted.ingress {
            return *lost.problem;
        }
        let cost = match duty {
            Duty::Protects => "its routes answer 503",
            Duty::Improves => "its routes are served without",
        };
        let fault = Fault::new(
            ProblemCode::PolicyUnusable,
            format!(
                "a part of the {} cannot be used ({}); {cost}",
                kept.object, lost.reason
            ),
            "Mend the Policy, or name it no more if the routes may be served without",
        );
        fault.at(self.wanted.ingress, field(of_class))
    }

    fn lose(&mut self, problem: Problem, duty: Duty) {
        self.problems.add(problem.clone());
        if duty == Duty::Protects {
            self.attached.unavailable.get_or_insert(problem);
        }
    }
}

fn has_port(spec: Option<&ServiceSpec>, wanted: u16) -> bool {
    let mut ports = spec.into_iter().flat_map(tcp_ports);
    ports.any(|port| port.port == i32::from(wanted))
}

/// Returns the field by which an Ingress has its Policies.
fn field(of_class: bool) -> String {
    if of_class {
        "spec.ingressClassName".to_owned()
    } else {
        format!("metadata.annotations[{ANNOTATION}]")
    }
}
