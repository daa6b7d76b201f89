//! Policies that decide who may ask.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

use crate::error::InvalidResource;
use crate::policy::limit::status;
use crate::policy::source::Source;
use crate::settings::{milliseconds, ranges, timeout};
use crate::wire;

/// Who may ask, by address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressFilter {
    /// Whoever is in none of them may not ask, if there are some.
    pub allowed: Vec<IpNet>,
    /// Whoever is in one of them may not ask, allowed or not.
    pub denied: Vec<IpNet>,
    /// Which address counts.
    pub source: Source,
    /// What others are answered.
    pub status: u16,
}

/// A user name and password (RFC 7617).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BasicAuth {
    /// Shown by browsers.
    pub realm: String,
    /// At least one.
    pub credentials: Vec<Credential>,
    /// Whether the backend gets no `Authorization`.
    pub remove_authorization: bool,
    /// The header in which the backend gets the user's name.
    pub user_header: Option<String>,
}

/// A user and the hash of the password, as htpasswd writes it. `Debug` does not show the hash.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential {
    /// The user's name.
    pub user: String,
    /// bcrypt, apr1 or `{SHA}`.
    pub hash: String,
}

/// A subrequest decides: 2xx lets the request pass, anything else is what the client gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForwardAuth {
    /// An http or https URL.
    pub url: String,
    /// Request headers that the service gets; empty for all.
    pub request_headers: Vec<String>,
    /// Headers of its answer that the backend gets.
    pub response_headers: Vec<String>,
    /// The same by a regular expression.
    pub response_headers_pattern: Option<String>,
    /// Cookies of its answer that the client gets.
    pub cookies: Vec<String>,
    /// The header of its answer with the user's name.
    pub user_header: Option<String>,
    /// How many bytes of the request's body it gets; `None` for no body at all.
    pub body_bytes: Option<u64>,
    /// Bytes of its answer's body at most.
    pub response_bytes: u64,
    /// Whether a relative `Location` of its answer stays as it is.
    pub keep_location: bool,
    /// Whether it is asked by the request's own method, not GET.
    pub keep_method: bool,
    /// Where clients go that it answers 401; `{url}` in it stands for what they asked for.
    pub sign_in_url: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What certificate of an https URL is accepted.
    pub tls: UpstreamTls,
}

/// A client certificate (mutual TLS).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientCertificate {
    /// DER certificates of the authorities that it must come from; `None` if one from anybody will do.
    pub authorities: Option<Vec<Bytes>>,
    /// Whether requests without one pass, too. One that is there must be right in any case.
    pub optional: bool,
    /// Whether the backend reads it in `X-Forwarded-Tls-Client-Cert`.
    pub forwarded: bool,
}

/// How TLS servers behind the edge are authenticated. `Debug` does not show the key.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct UpstreamTls {
    /// DER certificates of authorities; empty for the public ones.
    pub authorities: Vec<Bytes>,
    /// The name that the certificate must be for; `None` for the host that is asked.
    pub server_name: Option<String>,
    /// Any certificate is accepted.
    pub insecure: bool,
    /// DER certificates shown to the server, the leaf first.
    pub chain: Vec<Bytes>,
    /// The DER key of the leaf.
    pub private_key: Bytes,
}

impl AddressFilter {
    /// What others are answered, if nothing else is said.
    pub const FORBIDDEN: u16 = 403;
}

impl Credential {
    /// The highest cost of bcrypt that is computed: each one more takes twice the time, and this a second or more.
    pub const MOST_BCRYPT_COST: u32 = 14;
}

impl ForwardAuth {
    /// How many bytes the body of an answer may have, if nothing else is said.
    pub const RESPONSE_BYTES: u64 = 65_536;
    /// How long it may take, if nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = &self.user;
        f.debug_struct("Credential")
            .field("user", user)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls")
            .field("authorities", &self.authorities.len())
            .field("server_name", &self.server_name)
            .field("insecure", &self.insecure)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl TryFrom<wire::AddressFilter> for AddressFilter {
    type Error = InvalidResource;

    fn try_from(message: wire::AddressFilter) -> Result<Self, InvalidResource> {
        Ok(Self {
            allowed: ranges("allowed", &message.allowed)?,
            denied: ranges("denied", &message.denied)?,
            source: message.source.try_into()?,
            status: match message.status {
                0 => Self::FORBIDDEN,
                other => status("status", other)?,
            },
        })
    }
}

impl From<&AddressFilter> for wire::AddressFilter {
    fn from(filter: &AddressFilter) -> Self {
        Self {
            allowed: filter.allowed.iter().map(ToString::to_string).collect(),
            denied: filter.denied.iter().map(ToString::to_string).collect(),
            source: Some((&filter.source).into()),
            status: u32::from(filter.status),
        }
    }
}

impl TryFrom<wire::BasicAuth> for BasicAuth {
    type Error = InvalidResource;

    fn try_from(message: wire::BasicAuth) -> Result<Self, InvalidResource> {
        // Without a credential nobody could say whether all or none should pass.
        if message.credentials.is_empty() {
            return Err(InvalidResource::Missing("credentials"));
        }
        Ok(Self {
            realm: message.realm,
            credentials: message
                .credentials
                .into_iter()
                .map(|wire::Credential { user, hash }| Credential { user, hash })
                .collect(),
            remove_authorization: message.remove_authorization,
            user_header: non_empty(message.user_header),
        })
    }
}

impl From<&BasicAuth> for wire::BasicAuth {
    fn from(auth: &BasicAuth) -> Self {
        let credential = |Credential { user, hash }: &Credential| wire::Credential {
            user: user.clone(),
            hash: hash.clone(),
        };
        Self {
            realm: auth.realm.clone(),
            credentials: auth.credentials.iter().map(credential).collect(),
            remove_authorization: auth.remove_authorization,
            user_header: auth.user_header.clone().unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::ForwardAuth> for ForwardAuth {
    type Error = InvalidResource;

    fn try_from(message: wire::ForwardAuth) -> Result<Self, InvalidResource> {
        if message.url.is_empty() {
            return Err(InvalidResource::Missing("url"));
        }
        Ok(Self {
            url: message.url,
            request_headers: message.request_headers,
            response_headers: message.response_headers,
            response_headers_pattern: non_empty(message.response_headers_pattern),
            cookies: message.cookies,
            user_header: non_empty(message.user_header),
            body_bytes: message.body_bytes,
            response_bytes: match message.response_bytes {
                0 => Self::RESPONSE_BYTES,
                bytes => bytes,
            },
            keep_location: message.keep_location,
            keep_method: message.keep_method,
            sign_in_url: non_empty(message.sign_in_url),
            timeout: match message.timeout_ms {
                0 => Self::TIMEOUT,
                ms => timeout("timeout_ms", ms)?,
            },
            tls: message.tls.unwrap_or_default().into(),
        })
    }
}

impl From<&ForwardAuth> for wire::ForwardAuth {
    fn from(auth: &ForwardAuth) -> Self {
        Self {
            url: auth.url.clone(),
            request_headers: auth.request_headers.clone(),
            response_headers: auth.response_headers.clone(),
            response_headers_pattern: auth.response_headers_pattern.clone().unwrap_or_default(),
            cookies: auth.cookies.clone(),
            user_header: auth.user_header.clone().unwrap_or_default(),
            body_bytes: auth.body_bytes,
            response_bytes: auth.response_bytes,
            keep_location: auth.keep_location,
            keep_method: auth.keep_method,
            sign_in_url: auth.sign_in_url.clone().unwrap_or_default(),
            timeout_ms: milliseconds(auth.timeout),
            tls: Some((&auth.tls).into()),
        }
    }
}

impl TryFrom<wire::ClientCertificate> for ClientCertificate {
    type Error = InvalidResource;

    fn try_from(message: wire::ClientCertificate) -> Result<Self, InvalidResource> {
        // Without an authority nobody could say whether all or none should pass.
        if message.authorities.is_empty() && !message.unverified {
            return Err(InvalidResource::Missing("authorities"));
        }
        Ok(Self {
            authorities: (!message.unverified).then_some(message.authorities),
            optional: message.optional,
            forwarded: message.forwarded,
        })
    }
}

impl From<&ClientCertificate> for wire::ClientCertificate {
    fn from(certificate: &ClientCertificate) -> Self {
        Self {
            authorities: certificate.authorities.clone().unwrap_or_default(),
            unverified: certificate.authorities.is_none(),
            optional: certificate.optional,
            forwarded: certificate.forwarded,
        }
    }
}

impl From<wire::UpstreamTls> for UpstreamTls {
    fn from(message: wire::UpstreamTls) -> Self {
        Self {
            authorities: message.authorities,
            server_name: non_empty(message.server_name),
            insecure: message.insecure,
            chain: message.chain,
            private_key: message.private_key,
        }
    }
}

impl From<&UpstreamTls> for wire::UpstreamTls {
    fn from(tls: &UpstreamTls) -> Self {
        Self {
            authorities: tls.authorities.clone(),
            server_name: tls.server_name.clone().unwrap_or_default(),
            insecure: tls.insecure,
            chain: tls.chain.clone(),
            private_key: tls.private_key.clone(),
        }
    }
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
