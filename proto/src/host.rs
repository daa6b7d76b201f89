//! Hostnames that routes are reached under: exact, one-label wildcard, or any.

use std::fmt;
use std::sync::Arc;

use crate::certificate::CertificateName;
use crate::error::InvalidResource;
use crate::policy::PolicyName;
use crate::settings::TlsVersion;
use crate::settings_name::SettingsName;
use crate::wire;

/// Which hostnames something is for. Names are in lower case and without a final dot.
///
/// The order puts the more specific first: exact, then wildcard, then any.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HostPattern {
    /// One hostname.
    Exact(Arc<str>),
    /// The hostnames with exactly one label before this name: `*.example.com` holds `example.com`.
    Wildcard(Arc<str>),
    /// Every hostname that no other pattern takes.
    Any,
}

impl HostPattern {
    /// Parses what an Ingress rule calls a host: a DNS name, `*.` and a DNS name, or nothing or `*` for any.
    ///
    /// # Errors
    ///
    /// If it is neither; Kubernetes refuses an IP address, too, but data planes compare it like a name.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        if text.is_empty() || text == "*" {
            return Ok(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(parent) => Ok(Self::Wildcard(hostname(text, parent)?)),
            None => Ok(Self::Exact(hostname(text, text)?)),
        }
    }

    /// Returns whether a request for `host` (in lower case, without port or final dot) is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(parent) => parent_of(host) == Some(parent),
            Self::Any => true,
        }
    }
}

/// Returns what follows the first label of `host`, if it has a first label and something follows.
///
/// A wildcard takes `host` if and only if this is its parent: "`*.foo.com` matches `bar.foo.com`", not
/// `baz.bar.foo.com` and not `foo.com`.
#[must_use]
pub(crate) fn parent_of(host: &str) -> Option<&str> {
    host.split_once('.')
        .filter(|(label, parent)| !label.is_empty() && !parent.is_empty())
        .map(|(_, parent)| parent)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Why a text is not a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidHost {
    /// A label is empty, longer than 63 bytes, or starts or ends with a hyphen.
    #[error(
        "{host:?}: each label between dots needs 1 to 63 letters, digits or hyphens, with no hyphen at its ends"
    )]
    Label {
        /// The whole text.
        host: String,
    },
    /// It is longer than 253 bytes.
    #[error("{host:?} is longer than 253 bytes")]
    Length {
        /// The whole text.
        host: String,
    },
    /// A star stands where it may not.
    #[error("{host:?}: a wildcard may only be the whole first label, as in *.example.com")]
    Wildcard {
        /// The whole text.
        host: String,
    },
}

fn hostname(whole: &str, name: &str) -> Result<Arc<str>, InvalidHost> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_HOSTNAME {
        return Err(InvalidHost::Length {
            host: whole.to_owned(),
        });
    }
    if name.contains('*') {
        return Err(InvalidHost::Wildcard {
            host: whole.to_owned(),
        });
    }
    if !name.split('.').all(is_label) {
        return Err(InvalidHost::Label {
            host: whole.to_owned(),
        });
    }
    Ok(name.to_ascii_lowercase().into())
}

fn is_label(label: &str) -> bool {
    // An underscore is no letter of a hostname, but names with one are in use and browsers ask for them.
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// What TLS clients of a host get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    /// The hostnames.
    pub pattern: HostPattern,
    /// Their certificate; `None` for the default one.
    pub certificate: Option<CertificateName>,
    /// The settings that say which is the default one, and which versions of TLS are spoken.
    pub settings: SettingsName,
    /// The policies for which TLS clients are asked for a certificate.
    pub client_certificates: Vec<PolicyName>,
    /// The lowest version of TLS that is spoken with clients, where that of the settings is lower.
    pub tls_minimum_version: TlsVersion,
}

impl Host {
    pub(crate) fn parse(name: &str, message: wire::Host) -> Result<Self, InvalidResource> {
        Ok(Self {
            pattern: HostPattern::parse(name).map_err(InvalidResource::Host)?,
            certificate: CertificateName::non_empty(&message.certificate),
            settings: SettingsName::parse(&message.settings),
            client_certificates: PolicyName::parse_all(&message.client_certificates)?,
            tls_minimum_version: TlsVersion::parse(message.tls_minimum_version)?,
        })
    }
}

impl From<&Host> for wire::Host {
    fn from(host: &Host) -> Self {
        Self {
            certificate: host
                .certificate
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            settings: host.settings.to_wire(),
            client_certificates: (host.client_certificates.iter())
                .map(ToString::to_string)
                .collect(),
            tls_minimum_version: host.tls_minimum_version.to_wire(),
        }
    }
}

const MAX_HOSTNAME: usize = 253;
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_takes_exactly_one_label() {
        let pattern = HostPattern::parse("*.Foo.com").unwrap();
        assert!(pattern.matches("bar.foo.com"));
        assert!(!pattern.matches("foo.com"));
        assert!(!pattern.matches("baz.bar.foo.com"));
        assert!(!pattern.matches(".foo.com"));
    }

    #[test]
    fn a_wildcard_elsewhere_is_refused() {
        for host in ["foo.*.com", "*", "*foo.com", "**.com", "*.*.com"] {
            let parsed = HostPattern::parse(host);
            assert_eq!(parsed.is_ok(), host == "*", "{host}: {parsed:?}");
        }
    }

    #[test]
    fn labels_are_checked() {
        for host in [
            "a..b", ".a", "-a.b", "a-.b", "a b", "a:80", "ä.de", "*.", ".",
        ] {
            assert!(HostPattern::parse(host).is_err(), "{host}");
        }
        assert!(HostPattern::parse(&"a".repeat(64)).is_err());
        assert!(HostPattern::parse(&"a.".repeat(127)).is_ok());
        assert!(HostPattern::parse(&"a.".repeat(128)).is_err());
    }
}
