//! Endpoints: the addresses of one backend.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::backend::BackendName;
use crate::error::{InvalidResource, port};
use crate::wire;

/// The addresses of the backend of the same name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    /// The backend.
    pub backend: BackendName,
    /// Sorted by address; each address once.
    pub endpoints: Vec<Endpoint>,
}

/// One address of a backend.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it should get requests.
    pub state: EndpointState,
    /// The node that it runs on, if known.
    pub node: Option<Arc<str>>,
    /// The zone that it runs in, if known.
    pub zone: Option<Arc<str>>,
}

/// Whether an endpoint should get requests.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EndpointState {
    /// It should.
    Ready,
    /// It is terminating but still serves: only while no ready one remains.
    Terminating,
}

impl Endpoints {
    pub(crate) fn parse(name: &str, message: wire::Endpoints) -> Result<Self, InvalidResource> {
        let mut endpoints = (message.endpoints.into_iter())
            .map(Endpoint::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        endpoints.sort();
        endpoints.dedup_by_key(|endpoint| endpoint.address);
        Ok(Self {
            backend: BackendName::new(name),
            endpoints,
        })
    }
}

impl TryFrom<wire::Endpoint> for Endpoint {
    type Error = InvalidResource;

    fn try_from(message: wire::Endpoint) -> Result<Self, InvalidResource> {
        let state = match message.state() {
            wire::endpoint::State::Ready => EndpointState::Ready,
            wire::endpoint::State::Terminating => EndpointState::Terminating,
            wire::endpoint::State::Unspecified => {
                return Err(InvalidResource::UnknownValue {
                    field: "state",
                    value: message.state,
                });
            }
        };
        let ip: IpAddr = match message.ip.parse() {
            Ok(ip) => ip,
            Err(source) => {
                return Err(InvalidResource::Address {
                    field: "ip",
                    value: message.ip,
                    source,
                });
            }
        };
        let known = |text: String| (!text.is_empty()).then(|| text.into());
        Ok(Self {
            address: SocketAddr::new(ip, port("port", message.port)?),
            state,
            node: known(message.node),
            zone: known(message.zone),
        })
    }
}

impl From<&Endpoints> for wire::Endpoints {
    fn from(endpoints: &Endpoints) -> Self {
        Self {
            endpoints: endpoints.endpoints.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Endpoint> for wire::Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        let state = match endpoint.state {
            EndpointState::Ready => wire::endpoint::State::Ready,
            EndpointState::Terminating => wire::endpoint::State::Terminating,
        };
        let known = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        Self {
            ip: endpoint.address.ip().to_string(),
            port: u32::from(endpoint.address.port()),
            node: known(&endpoint.node),
            zone: known(&endpoint.zone),
            state: state.into(),
        }
    }
}
