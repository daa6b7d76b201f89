//! Routes: one path of one rule of one Ingress.

use std::sync::Arc;

use crate::backend::BackendName;
use crate::certificate::CertificateName;
use crate::error::InvalidResource;
use crate::host::HostPattern;
use crate::path::PathMatch;
use crate::problem::{ObjectReference, Problem};
use crate::settings_name::SettingsName;
use crate::wire;

/// One path of one rule of one Ingress.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// Its name, for people: `namespace/ingress host path`.
    pub name: Arc<str>,
    /// The host that it is reached under.
    pub host: HostPattern,
    /// Which paths it takes.
    pub path: PathMatch,
    /// The Ingress that says so.
    pub ingress: ObjectReference,
    /// Where in the Ingress, such as `spec.rules[0].http.paths[1]`.
    pub field: String,
    /// When that Ingress was created, in seconds since 1970.
    pub created_unix_s: i64,
    /// What is done with a request.
    pub action: RouteAction,
    /// The certificate that the Ingress asks for: while a data plane has nothing valid under that name, the route
    /// answers 503.
    pub certificate: Option<CertificateName>,
    /// The settings that hold for it: while a data plane has none of that name, the route answers 503.
    pub settings: SettingsName,
}

/// What a route does with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RouteAction {
    /// One of these backends answers, drawn by weight; at least one.
    Backends(Vec<WeightedBackend>),
    /// Nobody can: 503.
    Unavailable(Problem),
}

/// A backend's share of a route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WeightedBackend {
    /// The backend.
    pub backend: BackendName,
    /// Relative to the sum of the route's weights; 0 takes nothing.
    pub weight: u32,
}

impl Route {
    pub(crate) fn parse(name: &str, message: wire::Route) -> Result<Self, InvalidResource> {
        let action = match message.unavailable {
            Some(problem) => RouteAction::Unavailable(problem.into()),
            None if message.backends.is_empty() => {
                return Err(InvalidResource::Missing("backends"));
            }
            None => RouteAction::Backends(message.backends.iter().map(Into::into).collect()),
        };
        Ok(Self {
            name: name.into(),
            host: HostPattern::parse(&message.host).map_err(InvalidResource::Host)?,
            path: PathMatch::parse(message.path)?,
            ingress: message
                .ingress
                .ok_or(InvalidResource::Missing("ingress"))?
                .into(),
            field: message.field,
            created_unix_s: message.created_unix_s,
            action,
            certificate: CertificateName::non_empty(&message.certificate),
            settings: SettingsName::parse(&message.settings),
        })
    }
}

impl From<&Route> for wire::Route {
    fn from(route: &Route) -> Self {
        let (backends, unavailable) = match &route.action {
            RouteAction::Backends(backends) => (backends.iter().map(Into::into).collect(), None),
            RouteAction::Unavailable(problem) => (Vec::new(), Some(problem.into())),
        };
        Self {
            host: route.host.to_string(),
            path: Some((&route.path).into()),
            ingress: Some((&route.ingress).into()),
            created_unix_s: route.created_unix_s,
            backends,
            unavailable,
            certificate: route
                .certificate
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            field: route.field.clone(),
            settings: route.settings.to_wire(),
        }
    }
}

impl From<&wire::WeightedBackend> for WeightedBackend {
    fn from(backend: &wire::WeightedBackend) -> Self {
        Self {
            backend: BackendName::new(&backend.backend),
            weight: backend.weight,
        }
    }
}

impl From<&WeightedBackend> for wire::WeightedBackend {
    fn from(backend: &WeightedBackend) -> Self {
        Self {
            backend: backend.backend.to_string(),
            weight: backend.weight,
        }
    }
}
