//! The settings of the whole edge, typed: what the settings file says, or the defaults.
//!
//! It does not read a file; it parses the text of one. Whatever it returns, data planes accept.

mod file;
mod listeners;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use sluice_proto::{Listener, ListenerProtocol, Settings};

/// The settings of the whole edge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EdgeSettings {
    /// Where data planes accept; at least one.
    pub listeners: Vec<Listener>,
    /// What is served of what Ingresses ask for.
    pub ingress: IngressSettings,
    /// The Secret with the certificate of hosts that have none; `None` for the one that the control plane makes.
    pub default_certificate: Option<SecretReference>,
    /// What the status of Ingresses says.
    pub status: StatusSettings,
    /// What data planes are told, but for what Nodes add.
    pub edge: Settings,
}

/// What is served of what Ingresses ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IngressSettings {
    /// Ingresses of classes with one of these controllers are served.
    pub controllers: BTreeSet<String>,
    /// Whether Services of type ExternalName may answer.
    pub allow_external_name: bool,
    /// Whether Ingresses of several namespaces may share a host.
    pub hosts_across_namespaces: bool,
}

/// What the status of Ingresses says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusSettings {
    /// Whether it is written at all.
    pub publish: bool,
    /// What stands there instead of the addresses of the nodes that serve; empty for those.
    pub addresses: BTreeSet<StatusAddress>,
}

/// Where an Ingress can be reached, as its status says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum StatusAddress {
    /// At an address.
    Ip(IpAddr),
    /// Under a name.
    Hostname(String),
}

/// A Secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SecretReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Why settings cannot be used: the user's content is at fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}{}{field}: {reason}", if field.is_empty() { "" } else { ": " })]
pub struct SettingsError {
    /// The line, counted from 1.
    pub line: usize,
    /// The field, such as `timeouts.connect`; empty if it is the text as a whole.
    pub field: String,
    /// What is wrong and what may stand there.
    pub reason: String,
}

impl EdgeSettings {
    /// Parses the settings file. Every field is optional; an empty file is the defaults.
    ///
    /// # Errors
    ///
    /// If it is no YAML, or has a field that is unknown or out of range.
    pub fn parse(yaml: &str) -> Result<Self, SettingsError> {
        file::parse(yaml)
    }
}

impl Default for EdgeSettings {
    fn default() -> Self {
        let listener = |name: &str, port, protocol| Listener {
            name: name.into(),
            address: None,
            port,
            protocol,
        };
        Self {
            listeners: vec![
                listener("http", 80, ListenerProtocol::Http),
                listener("https", 443, ListenerProtocol::Https),
            ],
            ingress: IngressSettings::default(),
            default_certificate: None,
            status: StatusSettings::default(),
            edge: Settings::default(),
        }
    }
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self {
            publish: true,
            addresses: BTreeSet::new(),
        }
    }
}

impl fmt::Display for StatusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Hostname(name) => f.write_str(name),
        }
    }
}

impl Default for IngressSettings {
    fn default() -> Self {
        Self {
            controllers: BTreeSet::from([CONTROLLER.to_owned()]),
            allow_external_name: false,
            hosts_across_namespaces: true,
        }
    }
}

/// The controller that our own IngressClasses name.
pub(crate) const CONTROLLER: &str = "ingress.sluice.dev/controller";
