//! A resource of any kind, and its way over the border: message to bytes to typed value, and back.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::backend::Backend;
use crate::certificate::Certificate;
use crate::endpoints::Endpoints;
use crate::error::InvalidResource;
use crate::host::Host;
use crate::key::{Kind, ResourceKey};
use crate::listener::Listener;
use crate::policy::Policy;
use crate::route::Route;
use crate::settings::Settings;
use crate::wire;

/// A resource of any kind, parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resource {
    /// Where data planes accept.
    Listener(Listener),
    /// What holds for the whole edge, or for the routes of a class.
    Settings(Box<Settings>),
    /// What a TLS handshake needs.
    Certificate(Certificate),
    /// What TLS clients of a host get.
    Host(Host),
    /// One port of one Service.
    Backend(Backend),
    /// Its addresses.
    Endpoints(Endpoints),
    /// What is done to the requests of routes that name it.
    Policy(Arc<Policy>),
    /// One path of one Ingress.
    Route(Arc<Route>),
}

impl Resource {
    /// Parses the body of the resource that `key` names.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a message, or its content or its name cannot be used. Fields that this build does not
    /// know are passed over.
    pub fn parse(key: &ResourceKey, body: Bytes) -> Result<Self, InvalidResource> {
        let name = &*key.name;
        let resource = match key.kind {
            Kind::Listener => Self::Listener(Listener::parse(name, &decode(body)?)?),
            Kind::Settings => Self::Settings(Box::new(Settings::parse(name, decode(body)?)?)),
            Kind::Certificate => Self::Certificate(Certificate::parse(name, decode(body)?)?),
            Kind::Host => Self::Host(Host::parse(name, decode(body)?)?),
            Kind::Backend => Self::Backend(Backend::parse(name, decode(body)?)?),
            Kind::Endpoints => Self::Endpoints(Endpoints::parse(name, decode(body)?)?),
            Kind::Policy => Self::Policy(Arc::new(Policy::parse(decode(body)?)?)),
            Kind::Route => Self::Route(Arc::new(Route::parse(name, decode(body)?)?)),
        };
        // Of two spellings of a host nobody could say which counts.
        let own = resource.key().name;
        if own != key.name {
            return Err(InvalidResource::Name { own });
        }
        Ok(resource)
    }

    /// Returns its identity.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        match self {
            Self::Listener(listener) => ResourceKey::new(Kind::Listener, listener.name.clone()),
            Self::Settings(settings) => ResourceKey::new(Kind::Settings, settings.name.as_str()),
            Self::Certificate(certificate) => {
                ResourceKey::new(Kind::Certificate, certificate.name.as_arc().clone())
            }
            Self::Host(host) => ResourceKey::new(Kind::Host, host.pattern.to_string()),
            Self::Backend(backend) => {
                ResourceKey::new(Kind::Backend, backend.name.as_arc().clone())
            }
            Self::Endpoints(endpoints) => {
                ResourceKey::new(Kind::Endpoints, endpoints.backend.as_arc().clone())
            }
            Self::Policy(policy) => ResourceKey::new(Kind::Policy, policy.name.as_arc().clone()),
            Self::Route(route) => ResourceKey::new(Kind::Route, route.name.clone()),
        }
    }

    /// Returns its encoded body. The same content gives the same bytes: no message has a map, and every list is sorted
    /// by whoever made the resource.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let bytes = match self {
            Self::Listener(listener) => wire::Listener::from(listener).encode_to_vec(),
            Self::Settings(settings) => wire::Settings::from(&**settings).encode_to_vec(),
            Self::Certificate(certificate) => wire::Certificate::from(certificate).encode_to_vec(),
            Self::Host(host) => wire::Host::from(host).encode_to_vec(),
            Self::Backend(backend) => wire::Backend::from(backend).encode_to_vec(),
            Self::Endpoints(endpoints) => wire::Endpoints::from(endpoints).encode_to_vec(),
            Self::Policy(policy) => wire::Policy::from(&**policy).encode_to_vec(),
            Self::Route(route) => wire::Route::from(&**route).encode_to_vec(),
        };
        bytes.into()
    }
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, InvalidResource> {
    M::decode(body).map_err(InvalidResource::Body)
}
