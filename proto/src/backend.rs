//! Backends: one port of one Service.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::error::{InvalidResource, port};
use crate::host::HostPattern;
use crate::policy::UpstreamTls;
use crate::problem::ObjectReference;
use crate::wire;

/// The name of a backend, `namespace/service:port`, perhaps with whose object says how it is spoken to; also the name of its
/// endpoints.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BackendName(Arc<str>);

impl BackendName {
    /// Returns the name of the backend that this port of this Service is.
    #[must_use]
    pub fn of_service(namespace: &str, service: &str, port: u16) -> Self {
        Self(format!("{namespace}/{service}:{port}").into())
    }

    /// Returns the name of the same port where this object says how it is spoken to.
    #[must_use]
    pub fn spoken_to_by(&self, object: &ObjectReference) -> Self {
        Self(format!("{} by {object}", self.0).into())
    }

    /// Returns the port that it is, `namespace/service:port`, whoever says how it is spoken to.
    #[must_use]
    pub fn service_port(&self) -> &str {
        self.0.split_once(" by ").map_or(&self.0, |(port, _)| port)
    }

    /// Returns the name as the wire has it.
    #[must_use]
    pub fn as_arc(&self) -> &Arc<str> {
        &self.0
    }

    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One port of one Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend {
    /// Its name.
    pub name: BackendName,
    /// What its endpoints speak.
    pub protocol: BackendProtocol,
    /// Where its endpoints come from.
    pub target: BackendTarget,
    /// How its endpoints are spoken to by TLS; `None` for in clear.
    pub tls: Option<UpstreamTls>,
    /// Whether its endpoints get their own address as `Host`, not what the client has asked for.
    pub own_host: bool,
}

/// What a backend's endpoints speak.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BackendProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    H2c,
}

/// Where a backend's endpoints come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BackendTarget {
    /// A DNS name, to be resolved by the data plane (an ExternalName Service). What it resolves to is checked each
    /// time: it is a door into the node otherwise.
    ExternalName {
        /// The DNS name, in lower case.
        name: Arc<str>,
        /// The port; not 0.
        port: u16,
    },
    /// The Endpoints resource of the same name.
    Endpoints {
        /// The Service's own addresses, which stand in for stale endpoints; none for a headless Service.
        cluster_addresses: Vec<SocketAddr>,
    },
}

impl Backend {
    /// Returns what its endpoints are called, where nothing else says so: the name that their certificate must be for.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.target {
            BackendTarget::ExternalName { name, .. } => name.to_string(),
            BackendTarget::Endpoints { .. } => {
                let port = self.name.service_port();
                let service = port.rsplit_once(':').map_or(port, |(service, _)| service);
                match service.split_once('/') {
                    Some((namespace, service)) => format!("{service}.{namespace}.svc"),
                    None => service.to_owned(),
                }
            }
        }
    }

    pub(crate) fn parse(name: &str, message: wire::Backend) -> Result<Self, InvalidResource> {
        let protocol = match message.protocol() {
            wire::backend::Protocol::Http1 => BackendProtocol::Http1,
            wire::backend::Protocol::H2c => BackendProtocol::H2c,
            wire::backend::Protocol::Unspecified => {
                return Err(InvalidResource::UnknownValue {
                    field: "protocol",
                    value: message.protocol,
                });
            }
        };
        let target = if message.external_name.is_empty() {
            BackendTarget::Endpoints {
                cluster_addresses: cluster_addresses(message.cluster_addresses)?,
            }
        } else {
            external_name(&message.external_name, message.external_port)?
        };
        Ok(Self {
            name: BackendName::new(name),
            protocol,
            target,
            tls: message.tls.map(Into::into),
            own_host: message.own_host,
        })
    }
}

impl From<&Backend> for wire::Backend {
    fn from(backend: &Backend) -> Self {
        let protocol = match backend.protocol {
            BackendProtocol::Http1 => wire::backend::Protocol::Http1,
            BackendProtocol::H2c => wire::backend::Protocol::H2c,
        };
        let mut message = Self {
            protocol: protocol.into(),
            tls: backend.tls.as_ref().map(Into::into),
            own_host: backend.own_host,
            ..Self::default()
        };
        match &backend.target {
            BackendTarget::ExternalName { name, port } => {
                message.external_name = name.to_string();
                message.external_port = u32::from(*port);
            }
            BackendTarget::Endpoints { cluster_addresses } => {
                message.cluster_addresses =
                    cluster_addresses.iter().map(ToString::to_string).collect();
            }
        }
        message
    }
}

fn cluster_addresses(values: Vec<String>) -> Result<Vec<SocketAddr>, InvalidResource> {
    let parsed = values.into_iter().map(|value| {
        value.parse().map_err(|source| InvalidResource::Address {
            field: "cluster_addresses",
            value,
            source,
        })
    });
    parsed.collect()
}

fn external_name(name: &str, number: u32) -> Result<BackendTarget, InvalidResource> {
    match HostPattern::parse(name).map_err(InvalidResource::ExternalName)? {
        HostPattern::Exact(name) => Ok(BackendTarget::ExternalName {
            name,
            port: port("external_port", number)?,
        }),
        HostPattern::Wildcard(_) | HostPattern::Any => {
            Err(InvalidResource::Missing("external_name"))
        }
    }
}
