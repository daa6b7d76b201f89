//! Routes: one path of one rule of one Ingress.

use std::sync::Arc;

use crate::backend::BackendName;
use crate::certificate::CertificateName;
use crate::error::InvalidResource;
use crate::host::HostPattern;
use crate::path::PathMatch;
use crate::policy::PolicyName;
use crate::problem::{ObjectReference, Problem};
use crate::request_match::RequestMatch;
use crate::settings_name::SettingsName;
use crate::sticky::Sticky;
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
    /// The policies of its requests, in the order in which they run.
    pub policies: Vec<PolicyName>,
    /// How a client comes back to the endpoint that it was with.
    pub sticky: Option<Sticky>,
    /// Its priority among the routes of its host, of which the highest that takes the path answers; `None` for the length
    /// of its path.
    pub priority: Option<i64>,
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
    /// Requests that one of these finds go there, or never do, whatever the weights.
    pub matches: Vec<RequestMatch>,
}

impl Route {
    pub(crate) fn parse(name: &str, message: wire::Route) -> Result<Self, InvalidResource> {
        let action = match message.unavailable {
            Some(problem) => RouteAction::Unavailable(problem.into()),
            None if message.backends.is_empty() => {
                return Err(InvalidResource::Missing("backends"));
            }
            None => RouteAction::Backends(
                (message.backends.into_iter().map(TryInto::try_into)).collect::<Result<_, _>>()?,
            ),
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
            policies: PolicyName::parse_all(&message.policies)?,
            sticky: message.sticky.map(TryInto::try_into).transpose()?,
            priority: message.priority,
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
            policies: route.policies.iter().map(ToString::to_string).collect(),
            sticky: route.sticky.as_ref().map(Into::into),
            priority: route.priority,
            settings: route.settings.to_wire(),
        }
    }
}

impl TryFrom<wire::WeightedBackend> for WeightedBackend {
    type Error = InvalidResource;

    fn try_from(message: wire::WeightedBackend) -> Result<Self, InvalidResource> {
        let matches = message.matches.into_iter().map(TryInto::try_into);
        Ok(Self {
            backend: BackendName::new(&message.backend),
            weight: message.weight,
            matches: matches.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&WeightedBackend> for wire::WeightedBackend {
    fn from(backend: &WeightedBackend) -> Self {
        Self {
            backend: backend.backend.to_string(),
            weight: backend.weight,
            matches: backend.matches.iter().map(Into::into).collect(),
        }
    }
}
