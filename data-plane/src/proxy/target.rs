//! Which host a request is for: `Host` or `:authority`, or what an absolute request target says.

use std::borrow::Cow;

use http::header::HOST;
use http::{HeaderValue, Request, Version};
use sluice_routing::request_host;

use crate::proxy::respond::Cause;

/// Which host a request is for.
pub(super) struct Target {
    // As the client wrote it: what backends get as Host.
    authority: HeaderValue,
    // In lower case and without port, if that differs from a part of `authority`.
    host: Host,
}

enum Host {
    Start(usize),
    Owned(String),
}

impl Target {
    /// Returns what a request is for.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Cause> {
        let mut headers = request.headers().get_all(HOST).iter();
        let header = headers.next();
        // RFC 9112, section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
        // message that lacks a Host header field and to any request message that contains more than one Host header
        // field line or a Host header field with an invalid field value."
        if headers.next().is_some() {
            return Err(Cause::HostTwice);
        }
        let is_http2 = request.version() >= Version::HTTP_2;
        let authority = match (request.uri().authority(), header) {
            (Some(authority), header) => {
                let value = HeaderValue::from_str(authority.as_str());
                let value = value.map_err(|_| Cause::HostMalformed)?;
                // RFC 9113, section 8.3.1: "A server SHOULD treat a request as malformed if it contains a Host header
                // field that identifies an entity that differs from the entity in the ":authority" pseudo-header
                // field." For HTTP/1.1, RFC 9112, section 3.2.2, has the request target win.
                if is_http2
                    && header
                        .is_some_and(|host| !host.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
                {
                    return Err(Cause::HostContradicts);
                }
                value
            }
            (None, Some(host)) => host.clone(),
            (None, None) if request.version() == Version::HTTP_11 => {
                return Err(Cause::HostMissing);
            }
            (None, None) => HeaderValue::from_static(""),
        };
        Self::parse(authority)
    }

    fn parse(authority: HeaderValue) -> Result<Self, Cause> {
        let text = authority.to_str().map_err(|_| Cause::HostMalformed)?;
        let host = match request_host(text).ok_or(Cause::HostMalformed)? {
            // It is always the start of the text.
            Cow::Borrowed(host) => Host::Start(host.len()),
            Cow::Owned(host) => Host::Owned(host),
        };
        Ok(Self { authority, host })
    }

    /// Returns the host as the route table wants it.
    pub(super) fn host(&self) -> &str {
        match &self.host {
            Host::Start(length) => {
                let text = self.authority.to_str().unwrap_or_default();
                text.get(..*length).unwrap_or_default()
            }
            Host::Owned(host) => host,
        }
    }

    /// Returns host and port as the client wrote them.
    pub(super) const fn authority(&self) -> &HeaderValue {
        &self.authority
    }
}
