//! The hosts and paths of a report: what is published, as far as the input can tell.
//!
//! It does not look for problems (`report.rs`).

use std::collections::BTreeMap;

use sluice_proto::{
    HostPattern, MatchBy, MatchValue, Precedence, RequestMatch, Resource, Route, RouteAction,
    UpstreamTls, WeightedBackend,
};
use sluice_translate::ProblemCode;

use crate::check::known::Known;
use crate::check::parsed::Parsed;
use crate::check::report::{Named, ServedBackend, ServedHost, ServedPath};
use crate::check::written;
use crate::introspection::{ExplainedBackend, Resources};

/// What is published, and what the input has and knows.
pub(super) struct Served<'a> {
    pub(super) parsed: &'a Parsed,
    pub(super) known: &'a Known,
    pub(super) resources: Resources<'a>,
}

impl Served<'_> {
    /// Returns the hosts, the more specific first, each with its paths in the order in which they are tried.
    pub(super) fn hosts(&self) -> Vec<ServedHost> {
        let mut routes: BTreeMap<&HostPattern, Vec<&Route>> = BTreeMap::new();
        for route in self.resources.routes() {
            routes.entry(&route.host).or_default().push(route);
        }
        for routes in routes.values_mut() {
            routes.sort_by(|one, other| Precedence::of(one).cmp(&Precedence::of(other)));
        }
        let resources = self.resources.translation.resources.values();
        let mut hosts: Vec<_> = resources
            .filter_map(|resource| match &**resource {
                Resource::Host(host) => Some(host),
                _ => None,
            })
            .collect();
        hosts.sort_by_key(|host| &host.pattern);
        let hosts = hosts.into_iter().map(|host| ServedHost {
            host: host.pattern.to_string(),
            certificate: host.certificate.as_ref().map(ToString::to_string),
            paths: (routes.remove(&host.pattern).unwrap_or_default().into_iter())
                .map(|route| self.path(route))
                .collect(),
        });
        hosts.collect()
    }

    fn path(&self, route: &Route) -> ServedPath {
        let path = route.path.to_string();
        let (path_type, path) = path.split_once(' ').unwrap_or((&path, ""));
        let backends = self.resources.backends(route);
        let unavailable = self.unavailable(route, &backends);
        let backends = match &route.action {
            RouteAction::Backends(weighted) => (backends.iter().zip(weighted))
                .map(|(backend, weighted)| self.backend(backend, weighted))
                .collect(),
            RouteAction::Unavailable(_) if unavailable.is_some() => Vec::new(),
            RouteAction::Unavailable(_) => self.written_backend(route).into_iter().collect(),
        };
        ServedPath {
            path_type: path_type.to_owned(),
            path: path.to_owned(),
            ingress: Named(route.ingress.clone()),
            field: route.field.clone(),
            location: self.parsed.location(&route.ingress, &route.field),
            unavailable,
            policies: route.policies.iter().map(ToString::to_string).collect(),
            sticky: route.sticky.as_ref().map(|sticky| sticky.cookie.clone()),
            backends,
        }
    }

    /// Returns the code of the problem for which a route answers 503, as far as the input can tell.
    fn unavailable(&self, route: &Route, backends: &[ExplainedBackend<'_>]) -> Option<String> {
        let certificate = route.certificate.as_ref();
        let certificate = certificate.and_then(|name| self.resources.certificate(name));
        let of_certificate = certificate.and_then(|certificate| certificate.content.as_ref().err());
        let of_route = match &route.action {
            RouteAction::Unavailable(problem) => Some(problem),
            RouteAction::Backends(_) => None,
        };
        let mut problems = of_certificate.into_iter().chain(of_route);
        if let Some(problem) = problems.find(|problem| self.known.judge(problem).is_ok()) {
            return Some(problem.code.clone());
        }
        let is_out = |backend: &ExplainedBackend<'_>| self.is_known(backend) && !backend.answers();
        let is_out = !backends.is_empty() && backends.iter().all(is_out);
        is_out.then(|| ProblemCode::NoEndpoints.to_string())
    }

    fn backend(&self, backend: &ExplainedBackend<'_>, weighted: &WeightedBackend) -> ServedBackend {
        let tls = self.resources.backend_tls(&weighted.backend);
        ServedBackend {
            name: backend.shown.name.clone(),
            weight: backend.shown.weight,
            answers: self.is_known(backend).then(|| backend.who()),
            tls: tls.map(of_tls),
            matches: weighted.matches.iter().map(of_match).collect(),
        }
    }

    /// Returns the backend of a route as the Ingress has it: its Service is not in the input.
    fn written_backend(&self, route: &Route) -> Option<ServedBackend> {
        let name = written::backend(&self.parsed.objects, &route.ingress, &route.field)?;
        Some(ServedBackend {
            name,
            weight: 1,
            answers: None,
            tls: None,
            matches: Vec::new(),
        })
    }

    fn is_known(&self, backend: &ExplainedBackend<'_>) -> bool {
        let service = backend.shown.name.split_once('/');
        let service =
            service.and_then(|(namespace, rest)| Some((namespace, rest.rsplit_once(':')?.0)));
        !backend.has_endpoints()
            || service
                .is_some_and(|(namespace, name)| self.known.are_endpoints_known(namespace, name))
    }
}

fn of_tls(tls: &UpstreamTls) -> String {
    let name = tls.server_name.as_deref().unwrap_or("their Service");
    match tls.authorities.len() {
        _ if tls.insecure => "any certificate will do".to_owned(),
        0 => format!("a certificate for {name} of a public authority"),
        _ => format!("a certificate for {name} of the authorities that are named"),
    }
}

fn of_match(found: &RequestMatch) -> String {
    let (what, name) = match &found.by {
        MatchBy::Header(name) => ("header", name),
        MatchBy::Cookie(name) => ("cookie", name),
    };
    let value = match &found.value {
        MatchValue::Exact(value) => format!("{value:?}"),
        MatchValue::Pattern(pattern) => format!("what matches {pattern:?}"),
    };
    let but_not = if found.excludes { "never " } else { "" };
    format!("{but_not}with the {what} {name} {value}")
}
