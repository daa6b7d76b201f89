//! What would answer a URL, and why the next candidates would not: asked of the very code that routes.
//!
//! It knows what is published. A data plane may serve more for a while (a certificate beyond its Secret) or less (what it
//! refused): ListNodes and ListProblems say so.

use sluice_proto::{
    BackendName, BackendTarget, Certificate, CertificateName, Endpoint, EndpointState, HostPattern,
    Kind, MissingCertificate, Resource, ResourceKey, Route, RouteAction, Settings, SettingsName,
    UpstreamTls, WeightedBackend, wire,
};
use sluice_routing::{Candidate, RouteTable};
use sluice_translate::Translation;

use crate::introspection::url::RequestUrl;
use crate::publication::Publication;

/// Returns what would answer this URL.
pub(super) fn explain(publication: &Publication, url: &RequestUrl) -> wire::ExplainResponse {
    let resources = Resources {
        translation: &publication.translation,
    };
    let table = RouteTable::new(resources.routes());
    let candidates = table.candidates(&url.host, &url.path);
    let certificate = resources.certificate_of(&url.host);
    let mut response = wire::ExplainResponse {
        generation: publication.generation,
        certificate: certificate
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        // The most specific host that takes the request, if any does.
        host: (candidates.first()).map_or_else(String::new, |best| best.routed.host.to_string()),
        lost: candidates.iter().filter_map(lost).take(MOST_LOST).collect(),
        ..wire::ExplainResponse::default()
    };
    let winner = candidates.iter().find(|candidate| candidate.loss.is_none());
    if url.is_tls && certificate.is_none() {
        response.summary =
            "the TLS handshake is refused: no certificate is for this host, and the settings say \
                            missingCertificate: RefuseHandshake"
                .to_owned();
        return response;
    }
    let Some(winner) = winner else {
        response.status = NOT_FOUND;
        response.summary = if response.host.is_empty() {
            format!("404: no route takes the host {}", url.host)
        } else {
            format!(
                "404: no route of the host {} takes this path",
                response.host
            )
        };
        return response;
    };
    let route: &Route = winner.routed;
    let backends = resources.backends(route);
    match resources.verdict(route, &backends) {
        Ok(summary) => response.summary = summary,
        Err(summary) => {
            response.status = UNAVAILABLE;
            response.summary = summary;
        }
    }
    response.route = Some(wire::ExplainedRoute {
        name: route.name.to_string(),
        route: Some(route.into()),
        policies: route.policies.iter().map(ToString::to_string).collect(),
        backends: backends.into_iter().map(|backend| backend.shown).collect(),
    });
    response
}

/// What a translation publishes, by kind.
pub(crate) struct Resources<'a> {
    pub(crate) translation: &'a Translation,
}

/// A backend of a route, with who answers for it.
pub(crate) struct ExplainedBackend<'a> {
    pub(crate) shown: wire::ExplainedBackend,
    /// `None` if it is not published.
    target: Option<&'a BackendTarget>,
}

impl<'a> Resources<'a> {
    fn find(&self, kind: Kind, name: &str) -> Option<&'a Resource> {
        let resources = &self.translation.resources;
        resources
            .get(&ResourceKey::new(kind, name))
            .map(|resource| &**resource)
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = &'a Route> {
        let resources = self.translation.resources.values();
        resources.filter_map(|resource| match &**resource {
            Resource::Route(route) => Some(&**route),
            _ => None,
        })
    }

    /// Returns the certificate that a TLS client gets that asks for this host; `None` if its handshake is refused.
    fn certificate_of(&self, host: &str) -> Option<CertificateName> {
        let own = |pattern: &str| match self.find(Kind::Host, pattern) {
            Some(Resource::Host(host)) => Some(host),
            _ => None,
        };
        let wildcard = || own(&format!("*.{}", host.split_once('.')?.1));
        let any = HostPattern::Any.to_string();
        // A more specific host without a certificate of its own gets the default one, not that of a less specific one.
        let own = own(host).or_else(wildcard).or_else(|| own(&any));
        let certificate = own.and_then(|host| host.certificate.as_ref());
        if let Some(name) = certificate.filter(|name| self.unavailable(name).is_none()) {
            return Some(name.clone());
        }
        let settings = own.and_then(|host| self.settings(&host.settings));
        let settings = settings.or_else(|| self.settings(&SettingsName::EDGE))?;
        match settings.missing_certificate {
            MissingCertificate::DefaultCertificate => Some(settings.default_certificate.clone()),
            MissingCertificate::RefuseHandshake => None,
        }
    }

    fn settings(&self, name: &SettingsName) -> Option<&'a Settings> {
        match self.find(Kind::Settings, name.as_str()) {
            Some(Resource::Settings(settings)) => Some(settings),
            _ => None,
        }
    }

    /// Returns why this certificate cannot be served.
    fn unavailable(&self, name: &CertificateName) -> Option<String> {
        match self.certificate(name) {
            Some(certificate) => {
                let problem = certificate.content.as_ref().err()?;
                Some(format!("{} {}", sentence(&problem.message), problem.remedy))
            }
            None => Some(format!("there is no certificate {name}.")),
        }
    }

    pub(crate) fn certificate(&self, name: &CertificateName) -> Option<&'a Certificate> {
        match self.find(Kind::Certificate, name.as_arc()) {
            Some(Resource::Certificate(certificate)) => Some(certificate),
            _ => None,
        }
    }

    pub(crate) fn backends(&self, route: &Route) -> Vec<ExplainedBackend<'a>> {
        let RouteAction::Backends(backends) = &route.action else {
            return Vec::new();
        };
        backends
            .iter()
            .map(|weighted| self.backend(weighted))
            .collect()
    }

    /// Returns how the endpoints of a backend are spoken to by TLS, if they are.
    pub(crate) fn backend_tls(&self, name: &BackendName) -> Option<&'a UpstreamTls> {
        match self.find(Kind::Backend, name.as_arc()) {
            Some(Resource::Backend(backend)) => backend.tls.as_ref(),
            _ => None,
        }
    }

    fn backend(&self, weighted: &WeightedBackend) -> ExplainedBackend<'a> {
        let target = match self.find(Kind::Backend, weighted.backend.as_arc()) {
            Some(Resource::Backend(backend)) => Some(&backend.target),
            _ => None,
        };
        let endpoints = match target {
            Some(BackendTarget::Endpoints { .. }) => self.endpoints(&weighted.backend),
            _ => &[],
        };
        ExplainedBackend {
            shown: wire::ExplainedBackend {
                name: weighted.backend.to_string(),
                weight: weighted.weight,
                usable: usable(endpoints),
                endpoints: endpoints.iter().map(Into::into).collect(),
            },
            target,
        }
    }

    fn endpoints(&self, backend: &BackendName) -> &'a [Endpoint] {
        match self.find(Kind::Endpoints, backend.as_arc()) {
            Some(Resource::Endpoints(endpoints)) => &endpoints.endpoints,
            _ => &[],
        }
    }

    /// Returns in one sentence who answers, or why Sluice answers 503 by itself.
    fn verdict(&self, route: &Route, backends: &[ExplainedBackend<'_>]) -> Result<String, String> {
        let name = &route.name;
        if let Some(certificate) = &route.certificate
            && let Some(why) = self.unavailable(certificate)
        {
            return Err(format!(
                "503: route {name} asks for a certificate that cannot be served: {why} (A data plane that still holds \
                 an earlier one goes on serving while that is valid.)"
            ));
        }
        if let RouteAction::Unavailable(problem) = &route.action {
            let message = sentence(&problem.message);
            return Err(format!(
                "503: route {name} cannot be served: {message} {}",
                problem.remedy
            ));
        }
        let shares: Vec<_> = backends
            .iter()
            .filter(|backend| backend.shown.weight > 0)
            .collect();
        if shares.is_empty() {
            return Err(format!(
                "503: all backends of route {name} have the weight 0"
            ));
        }
        let state: Vec<_> = shares.iter().map(|share| share.state()).collect();
        let state = state.join(" and ");
        if shares.iter().any(|share| share.answers()) {
            Ok(format!("route {name} answers from {state}"))
        } else {
            Err(format!("503: route {name} has nobody to answer: {state}"))
        }
    }
}

impl ExplainedBackend<'_> {
    /// Returns whether there is somebody who may answer.
    pub(crate) fn answers(&self) -> bool {
        match self.target {
            Some(BackendTarget::ExternalName { .. }) => true,
            Some(BackendTarget::Endpoints { .. }) => self.shown.usable > 0,
            None => false,
        }
    }

    /// Returns whether its endpoints are known to Kubernetes, and not to a name server.
    pub(crate) const fn has_endpoints(&self) -> bool {
        matches!(self.target, Some(BackendTarget::Endpoints { .. }))
    }

    fn state(&self) -> String {
        format!("backend {} ({})", self.shown.name, self.who())
    }

    /// Returns who answers for it.
    pub(crate) fn who(&self) -> String {
        let usable = self.shown.usable;
        let is_ready = |endpoint: &wire::Endpoint| endpoint.state() == wire::endpoint::State::Ready;
        match self.target {
            Some(BackendTarget::ExternalName { name, port }) => {
                format!("what {name} resolves to, port {port}")
            }
            Some(BackendTarget::Endpoints { .. }) => {
                let state = match self.shown.endpoints.first() {
                    Some(first)
                        if !is_ready(first) && !self.shown.endpoints.iter().any(is_ready) =>
                    {
                        "terminating"
                    }
                    _ => "ready",
                };
                let plural = if usable == 1 { "" } else { "s" };
                format!("{usable} {state} endpoint{plural}")
            }
            None => "which does not exist".to_owned(),
        }
    }
}

// "A terminating endpoint gets requests only while it still serves and no ready one remains."
fn usable(endpoints: &[Endpoint]) -> u32 {
    let ready = |endpoint: &&Endpoint| endpoint.state == EndpointState::Ready;
    let usable = match endpoints.iter().filter(ready).count() {
        0 => endpoints.len(),
        ready => ready,
    };
    u32::try_from(usable).unwrap_or(u32::MAX)
}

fn lost(candidate: &Candidate<'_, &Route>) -> Option<wire::LosingCandidate> {
    let loss = candidate.loss.as_ref()?;
    Some(wire::LosingCandidate {
        name: candidate.routed.name.to_string(),
        reason: loss.to_string(),
    })
}

fn sentence(text: &str) -> String {
    match text.ends_with('.') {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

const NOT_FOUND: u32 = 404;
const UNAVAILABLE: u32 = 503;
const MOST_LOST: usize = 10;
