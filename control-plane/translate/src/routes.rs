//! Turns the rules of an Ingress into routes, and says where it wants them.
//!
//! It does not decide who gets a host and path that several want (`claims.rs`). Every path that a user wrote becomes a
//! route; one that nobody can answer is [`RouteAction::Unavailable`], so that no less specific route takes its requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::IngressBackend;
use sluice_proto::{
    CertificateName, HostPattern, PathMatch, Policy, PolicyAction, PolicyName, Problem, Route,
    RouteAction, Sticky, TlsVersion, WeightedBackend,
};

use crate::annotations::{Judgement, judge};
use crate::backends::{Backends, COST, NoBackend, Resolved};
use crate::ingress::{Rule, ServedIngress};
use crate::objects::Objects;
use crate::path::place;
use crate::policies::{Attached, Canary};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::tls::IngressTls;
use crate::traefik;

/// A route, before it is known whether it gets its host and path.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    pub(crate) route: Arc<Route>,
    /// It stands there only because it cannot stand where its author wrote, or is a variant of another one: any route
    /// that is written for the host and path wins, however young.
    pub(crate) stands_back: bool,
}

/// What an Ingress asks for.
pub(crate) struct Claims {
    /// Its routes, in the order of its rules.
    pub(crate) claims: Vec<Claim>,
    /// The policies that they name.
    pub(crate) policies: BTreeMap<PolicyName, Arc<Policy>>,
    /// The lowest version of TLS that clients of its hosts may speak.
    pub(crate) tls_minimum_version: TlsVersion,
}

/// Returns the routes that an Ingress asks for.
pub(crate) fn claims(
    objects: &Objects,
    ingress: &ServedIngress<'_>,
    tls: &IngressTls,
    own: Attached,
    backends: &mut Backends<'_>,
    problems: &mut Problems,
) -> Claims {
    let judgement = judge(objects, ingress.annotations, &ingress.reference, problems);
    let mut writer = Writer {
        ingress,
        tls,
        own,
        judgement,
        backends,
        problems,
        claims: Vec::new(),
        policies: BTreeMap::new(),
    };
    for rule in &ingress.rules {
        writer.rule(rule);
    }
    writer.default_backend();
    Claims {
        claims: writer.claims,
        policies: writer.policies,
        tls_minimum_version: writer.judgement.tls_minimum_version,
    }
}

/// What writes down the routes of one Ingress.
struct Writer<'a, 'b, 'c> {
    ingress: &'a ServedIngress<'a>,
    tls: &'a IngressTls,
    own: Attached,
    judgement: Judgement,
    backends: &'b mut Backends<'c>,
    problems: &'b mut Problems,
    claims: Vec<Claim>,
    policies: BTreeMap<PolicyName, Arc<Policy>>,
}

/// What answers the requests of a route, and what is done to them on behalf of whoever answers.
#[derive(Clone)]
struct Answer {
    action: RouteAction,
    policies: Vec<Arc<Policy>>,
    sticky: Option<Sticky>,
}

impl Writer<'_, '_, '_> {
    fn rule(&mut self, rule: &Rule<'_>) {
        let field = format!("spec.rules[{}]", rule.index);
        if rule.paths.is_empty() && self.ingress.default_backend.is_none() {
            let fault = Fault::new(
                ProblemCode::RuleEmpty,
                "the rule has no path, and the Ingress no default backend; the host answers 503",
                "Give the rule a path, or the Ingress a default backend",
            );
            let problem = self.report(fault, format!("{field}.http"));
            self.claim(
                rule.host.clone(),
                PathMatch::Default,
                field,
                Answer::unavailable(problem),
                false,
            );
            return;
        }
        for (index, path) in rule.paths.iter().enumerate() {
            let field = format!("{field}.http.paths[{index}]");
            let are_exact = traefik::exact_paths(self.ingress.annotations);
            let placed = place(path.path.as_deref(), &path.path_type, are_exact);
            let stands_back = placed.fault.is_some();
            let misplaced = placed
                .fault
                .map(|(name, fault)| self.report(fault, format!("{field}.{name}")));
            // The backend is looked at in any case: all that is wrong is said at once.
            let answer = self.backend(&path.backend, &format!("{field}.backend"));
            let answer = misplaced.map_or(answer, Answer::unavailable);
            self.claim(rule.host.clone(), placed.path, field, answer, stands_back);
        }
    }

    /// "If none of the hosts or paths match the HTTP request in the Ingress objects, the traffic is routed to your
    /// default backend": on the hosts of its rules, or on every host if it has none.
    fn default_backend(&mut self) {
        let Some(backend) = self.ingress.default_backend else {
            return;
        };
        let field = "spec.defaultBackend".to_owned();
        let mut hosts: Vec<_> = self
            .ingress
            .rules
            .iter()
            .map(|rule| rule.host.clone())
            .collect();
        if self.ingress.is_ruleless {
            hosts.push(HostPattern::Any);
        }
        hosts.sort();
        hosts.dedup();
        let answer = self.backend(backend, &field);
        for host in hosts {
            self.claim(
                host,
                PathMatch::Default,
                field.clone(),
                answer.clone(),
                false,
            );
        }
    }

    fn backend(&mut self, backend: &IngressBackend, field: &str) -> Answer {
        let namespace = &self.ingress.reference.namespace;
        match self.backends.resolve(namespace, backend, self.problems) {
            Ok(resolved) => self.answer(resolved),
            Err(NoBackend::Reported(problem)) => Answer::unavailable(*problem),
            Err(NoBackend::Ingress(name, fault)) => {
                Answer::unavailable(self.report(fault, format!("{field}.{name}")))
            }
        }
    }

    /// Returns the answer of a backend, and of the canary beside it.
    fn answer(&mut self, stable: Resolved) -> Answer {
        let sticky = self.own.sticky.as_ref();
        // What the Ingress says goes before what its Service does.
        let sticky = sticky.map(|wish| wish.of_backend(&stable.name));
        let sticky = sticky.or(stable.sticky);
        let of = |backend, weight, matches| WeightedBackend {
            backend,
            weight,
            matches,
        };
        let mut policies = stable.policies;
        let backends = match self.canary() {
            None => vec![of(stable.name, 1, Vec::new())],
            Some((canary, resolved)) => {
                // What protects one of them protects both: a request may go to either.
                policies.extend(resolved.policies);
                vec![
                    of(stable.name, 100 - canary.weight.min(100), Vec::new()),
                    of(resolved.name, canary.weight, canary.matches),
                ]
            }
        };
        Answer {
            action: RouteAction::Backends(backends),
            policies,
            sticky,
        }
    }

    /// Returns the canary, if there is one that can answer.
    fn canary(&mut self) -> Option<(Canary, Resolved)> {
        let canary = self.own.canary.clone()?;
        let namespace = &self.ingress.reference.namespace;
        let backend = canary.backend();
        let reason = match self.backends.resolve(namespace, &backend, self.problems) {
            Ok(resolved) => return Some((canary, resolved)),
            Err(NoBackend::Reported(problem)) => problem.message,
            Err(NoBackend::Ingress(_, fault)) => fault.message,
        };
        let reason = reason.trim_end_matches(COST);
        let fault = Fault::new(
            ProblemCode::CanaryUnusable,
            format!("the canary cannot answer ({reason}); no request goes there"),
            "Mend the Service, or take the canary away",
        );
        let problem = fault.at(
            &self.ingress.reference,
            canary.field_of(&self.ingress.reference),
        );
        self.problems.add(problem);
        None
    }

    fn claim(
        &mut self,
        host: HostPattern,
        path: PathMatch,
        field: String,
        answer: Answer,
        stands_back: bool,
    ) {
        let policies = self.policies(answer.policies);
        let ingress = &self.ingress.reference;
        let refused = self.own.unavailable.as_ref();
        let refused = refused.or(self.judgement.unavailable.as_ref()).cloned();
        let route = Route {
            name: format!("{}/{} {host} {path}", ingress.namespace, ingress.name).into(),
            certificate: self.certificate(&host),
            priority: match path {
                PathMatch::Default => None,
                _ => traefik::priority(self.ingress.annotations, &host),
            },
            host,
            path,
            ingress: ingress.clone(),
            field,
            created_unix_s: self.ingress.created_unix_s,
            action: refused.map_or(answer.action, RouteAction::Unavailable),
            settings: self.ingress.settings.clone(),
            policies,
            sticky: answer.sticky,
        };
        self.claims.push(Claim {
            route: Arc::new(route),
            stands_back: stands_back || self.judgement.yields,
        });
    }

    /// Returns the policies of a route, in the order in which they run: the Ingress' own, then those of who answers.
    fn policies(&mut self, of_answer: Vec<Arc<Policy>>) -> Vec<PolicyName> {
        let mut names = Vec::new();
        let own = self.own.policies.iter().chain(&self.judgement.policies);
        let all: Vec<_> = own.cloned().chain(of_answer).collect();
        for policy in all {
            // A request counts once, however often a chain comes upon a limit.
            if is_count(&policy.action) && names.contains(&policy.name) {
                continue;
            }
            names.push(policy.name.clone());
            self.policies.insert(policy.name.clone(), policy);
        }
        names
    }

    fn certificate(&self, host: &HostPattern) -> Option<CertificateName> {
        self.tls
            .entry_for(host)
            .map(|entry| entry.certificate.clone())
    }

    fn report(&mut self, fault: Fault, field: String) -> Problem {
        let problem = fault.at(&self.ingress.reference, field);
        self.problems.add(problem.clone());
        problem
    }
}

impl Answer {
    const fn unavailable(problem: Problem) -> Self {
        Self {
            action: RouteAction::Unavailable(problem),
            policies: Vec::new(),
            sticky: None,
        }
    }
}

/// Returns whether a policy counts requests.
const fn is_count(action: &PolicyAction) -> bool {
    matches!(
        action,
        PolicyAction::RateLimit(_) | PolicyAction::ConcurrencyLimit(_)
    )
}
