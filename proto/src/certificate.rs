//! Certificates: chain, key and the names they serve, or why there is none.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::InvalidResource;
use crate::problem::Problem;
use crate::wire;

/// The name of a certificate: `namespace/secret`, `default`, or `default:class`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CertificateName(Arc<str>);

impl CertificateName {
    /// Returns the name of the certificate that hosts without one of their own get.
    #[must_use]
    pub fn default_certificate() -> Self {
        Self("default".into())
    }

    /// Returns the name of the one that hosts of this IngressClass get instead.
    #[must_use]
    pub fn default_of_class(class: &str) -> Self {
        // No namespace has a colon in it.
        Self(format!("default:{class}").into())
    }

    /// Returns the name of the certificate that this Secret holds.
    #[must_use]
    pub fn of_secret(namespace: &str, secret: &str) -> Self {
        Self(format!("{namespace}/{secret}").into())
    }

    /// Returns the name as the wire has it.
    #[must_use]
    pub fn as_arc(&self) -> &Arc<str> {
        &self.0
    }

    pub(crate) fn non_empty(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self(name.into()))
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate that hosts refer to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Its name.
    pub name: CertificateName,
    /// What to serve, or why there is nothing. A data plane that holds an earlier material that is still valid goes on
    /// serving that.
    pub content: Result<CertificateMaterial, Problem>,
}

/// What a TLS handshake needs. `Debug` shows no key.
#[derive(Clone, Eq, PartialEq)]
pub struct CertificateMaterial {
    /// DER certificates, the leaf first; at least one.
    pub chain: Vec<Bytes>,
    /// The DER private key: PKCS #8, PKCS #1 or SEC 1. Whether it belongs to the leaf only a data plane finds out.
    pub private_key: Bytes,
    /// The DNS names that the leaf is for.
    pub names: Vec<String>,
    /// When it becomes valid, in seconds since 1970.
    pub not_before_unix_s: i64,
    /// When it ends, in seconds since 1970.
    pub not_after_unix_s: i64,
}

impl CertificateMaterial {
    /// Returns whether it is valid at this time, in seconds since 1970.
    #[must_use]
    pub fn is_valid_at(&self, unix_s: i64) -> bool {
        (self.not_before_unix_s..=self.not_after_unix_s).contains(&unix_s)
    }
}

impl fmt::Debug for CertificateMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateMaterial")
            .field("names", &self.names)
            .field("not_before_unix_s", &self.not_before_unix_s)
            .field("not_after_unix_s", &self.not_after_unix_s)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    pub(crate) fn parse(name: &str, message: wire::Certificate) -> Result<Self, InvalidResource> {
        let content = match message.content {
            None => return Err(InvalidResource::Missing("content")),
            Some(wire::certificate::Content::Unavailable(problem)) => Err(Problem::from(problem)),
            Some(wire::certificate::Content::Material(material)) => {
                if material.chain.is_empty() {
                    return Err(InvalidResource::Missing("material.chain"));
                }
                if material.private_key.is_empty() {
                    return Err(InvalidResource::Missing("material.private_key"));
                }
                Ok(CertificateMaterial {
                    chain: material.chain,
                    private_key: material.private_key,
                    names: material.names,
                    not_before_unix_s: material.not_before_unix_s,
                    not_after_unix_s: material.not_after_unix_s,
                })
            }
        };
        Ok(Self {
            name: CertificateName(name.into()),
            content,
        })
    }
}

impl From<&Certificate> for wire::Certificate {
    fn from(certificate: &Certificate) -> Self {
        let content = match &certificate.content {
            Ok(material) => wire::certificate::Content::Material(wire::CertificateMaterial {
                chain: material.chain.clone(),
                private_key: material.private_key.clone(),
                names: material.names.clone(),
                not_before_unix_s: material.not_before_unix_s,
                not_after_unix_s: material.not_after_unix_s,
            }),
            Err(problem) => wire::certificate::Content::Unavailable(problem.into()),
        };
        Self {
            content: Some(content),
        }
    }
}
