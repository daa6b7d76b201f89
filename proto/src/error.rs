//! Why a resource from the wire cannot be accepted.

use std::net::AddrParseError;
use std::sync::Arc;

use crate::host::InvalidHost;
use crate::path::InvalidPath;

/// Why a resource from the wire cannot be accepted: the sender is at fault, and sending it again does not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResource {
    /// An address is not one.
    #[error("{field}: {value:?} is not an address")]
    Address {
        /// The field.
        field: &'static str,
        /// What it held.
        value: String,
        /// Why it does not parse.
        #[source]
        source: AddrParseError,
    },
    /// The body is not an encoded message of this kind.
    #[error("the body does not decode")]
    Body(#[source] prost::DecodeError),
    /// The DNS name of an ExternalName Service is not one.
    #[error("external_name is not a host")]
    ExternalName(#[source] InvalidHost),
    /// A host is not one.
    #[error("the host cannot be used")]
    Host(#[source] InvalidHost),
    /// A field that must be set is not.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The name is not the one that a resource of this content has.
    #[error("the name of such a resource is {own:?}")]
    Name {
        /// What it would have to be.
        own: Arc<str>,
    },
    /// The key has no name.
    #[error("the name is empty")]
    NameEmpty,
    /// A path is not one.
    #[error("the path cannot be used")]
    Path(#[source] InvalidPath),
    /// A number is outside its range.
    #[error("{field}: {value} is not in {range}")]
    Range {
        /// The field.
        field: &'static str,
        /// What it held.
        value: u64,
        /// What it may hold.
        range: &'static str,
    },
    /// What a cookie is to have cannot stand in one.
    #[error("{field}: {value:?} cannot stand in a cookie")]
    CookieAttribute {
        /// The field.
        field: &'static str,
        /// What it held.
        value: String,
    },
    /// A CIDR range is not one.
    #[error("{field}: {value:?} is not a CIDR range")]
    AddressRange {
        /// The field.
        field: &'static str,
        /// What it held.
        value: String,
        /// Why it does not parse.
        #[source]
        source: ipnet::AddrParseError,
    },
    /// An enumeration has a value that this build does not know.
    #[error("{field}: the value {value} is not known to this build")]
    UnknownValue {
        /// The field.
        field: &'static str,
        /// What it held.
        value: i32,
    },
    /// The kind is not known to this build.
    #[error("the kind {0:?} is not known to this build")]
    UnknownKind(String),
    /// The version is not the hash of the body.
    #[error("the version is not the hash of the body")]
    Version,
}

impl InvalidResource {
    /// Returns the whole chain of causes in one line, for a refusal.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            reason.push_str(": ");
            reason.push_str(&cause.to_string());
            source = cause.source();
        }
        reason
    }
}

/// Returns the port, or the error that names `field`.
pub(crate) fn port(field: &'static str, value: u32) -> Result<u16, InvalidResource> {
    match u16::try_from(value) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(InvalidResource::Range {
            field,
            value: u64::from(value),
            range: "1 to 65535",
        }),
    }
}
