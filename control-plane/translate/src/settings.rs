//! Settings, typed: what the settings file says of the whole edge, or the defaults; and what objects say (`in_force.rs`).
//!
//! It does not read a file; it parses the text of one. Whatever it returns, data planes accept.

mod apply;
mod file;
mod in_force;
mod listeners;
mod object;
mod schema;
mod spec;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use sluice_proto::{Listener, ListenerProtocol, Settings, TrustedSet};

pub(crate) use crate::settings::in_force::{ClassPolicies, EDGE, InForce, OfClass};
pub use crate::settings::schema::{settings_definition, settings_fields};
pub(crate) use crate::settings::value::{Number, SetName, Text, Timeout};

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
    /// The named sets whose ranges are trusted, too.
    pub trusted_sets: Vec<String>,
    /// The named sets that there are.
    pub proxy_sets: BTreeMap<String, ProxySet>,
    /// The policies of every route, before its Ingress' own.
    pub policies: Vec<PolicyReference>,
    /// What data planes are told, but for the ranges of named sets and what Nodes add.
    pub edge: Settings,
}

/// A set of ranges, as it stood on a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxySet {
    /// The day; empty if nobody says.
    pub date: String,
    /// The ranges.
    pub ranges: Vec<IpNet>,
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

/// A Policy.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PolicyReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl PolicyReference {
    /// Returns whether it stands for what cannot be read: no object has such a name.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.name == "-"
    }
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

    /// Returns what data planes are told, but for what Nodes add.
    pub(crate) fn published(&self) -> Settings {
        let mut settings = self.edge.clone();
        let named = self.trusted_sets.iter();
        for (name, set) in named.filter_map(|name| self.proxy_sets.get_key_value(name)) {
            settings.trusted_ranges.extend(&set.ranges);
            settings.trusted_sets.push(TrustedSet {
                name: name.clone(),
                date: set.date.clone(),
            });
        }
        settings.trusted_ranges.sort_unstable();
        settings.trusted_ranges.dedup();
        settings
    }

    /// Returns the index of the first set that is trusted and does not exist.
    fn first_unknown_set(&self) -> Option<usize> {
        let mut named = self.trusted_sets.iter();
        named.position(|name| !self.proxy_sets.contains_key(name))
    }

    /// Says that there is no such set.
    fn unknown_set(&self, index: usize) -> String {
        let known: Vec<_> = self.proxy_sets.keys().map(String::as_str).collect();
        let name = self.trusted_sets.get(index);
        format!(
            "there is no set {} (there are: {}); proxySets defines one",
            name.map(String::as_str).unwrap_or_default(),
            known.join(", ")
        )
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
            trusted_sets: Vec::new(),
            proxy_sets: built_in_sets(),
            policies: Vec::new(),
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

fn built_in_sets() -> BTreeMap<String, ProxySet> {
    let cloudflare = ProxySet {
        date: CLOUDFLARE_DATE.to_owned(),
        ranges: (CLOUDFLARE.iter())
            .filter_map(|range| range.parse().ok())
            .collect(),
    };
    BTreeMap::from([("cloudflare".to_owned(), cloudflare)])
}

/// <https://www.cloudflare.com/ips/>
const CLOUDFLARE: [&str; 22] = [
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];
/// The last change of these ranges.
const CLOUDFLARE_DATE: &str = "2023-09-28";

/// The controller that our own IngressClasses name.
pub(crate) const CONTROLLER: &str = "ingress.sluice.dev/controller";
