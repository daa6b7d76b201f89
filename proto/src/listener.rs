//! Listeners: where every data plane accepts connections.

use std::net::IpAddr;
use std::sync::Arc;

use crate::error::{InvalidResource, port};
use crate::wire;

/// An address, port and protocol that every data plane accepts on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Its name, such as `http`.
    pub name: Arc<str>,
    /// The address; `None` for every address of the node.
    pub address: Option<IpAddr>,
    /// The port; not 0.
    pub port: u16,
    /// What is spoken.
    pub protocol: ListenerProtocol,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ListenerProtocol {
    /// HTTP/1.1, and HTTP/2 with prior knowledge, in clear.
    Http,
    /// TLS, with HTTP/2 or HTTP/1.1 chosen by ALPN.
    Https,
}

impl Listener {
    pub(crate) fn parse(name: &str, message: &wire::Listener) -> Result<Self, InvalidResource> {
        let address = match message.address.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|source| InvalidResource::Address {
                field: "address",
                value: text.to_owned(),
                source,
            })?),
        };
        let protocol = match message.protocol() {
            wire::listener::Protocol::Http => ListenerProtocol::Http,
            wire::listener::Protocol::Https => ListenerProtocol::Https,
            wire::listener::Protocol::Unspecified => {
                return Err(InvalidResource::UnknownValue {
                    field: "protocol",
                    value: message.protocol,
                });
            }
        };
        Ok(Self {
            name: name.into(),
            address,
            port: port("port", message.port)?,
            protocol,
        })
    }
}

impl From<&Listener> for wire::Listener {
    fn from(listener: &Listener) -> Self {
        let protocol = match listener.protocol {
            ListenerProtocol::Http => wire::listener::Protocol::Http,
            ListenerProtocol::Https => wire::listener::Protocol::Https,
        };
        Self {
            address: listener
                .address
                .map_or_else(String::new, |address| address.to_string()),
            port: u32::from(listener.port),
            protocol: protocol.into(),
        }
    }
}
