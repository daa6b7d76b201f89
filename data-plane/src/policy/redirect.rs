//! Redirects: where clients are sent. Where the URL would stay the same, the request passes.
//!
//! The scheme is the client's, as far as a trusted peer says so: behind a proxy that ends TLS, a redirect to https does not
//! loop.

use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Request, StatusCode};
use regex::Regex;
use sluice_proto::{HostPattern, RedirectTo};

use crate::cores::Scheme;
use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::policy::pattern::compile;
use crate::proxy::Cause;

/// A redirect.
pub(super) struct Redirect {
    permanent: bool,
    status: Option<StatusCode>,
    to: To,
}

enum To {
    Parts(Parts),
    Url { pattern: Regex, replacement: String },
}

struct Parts {
    scheme: Option<Scheme>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<PathAndQuery>,
}

impl Redirect {
    pub(super) fn new(redirect: &sluice_proto::Redirect) -> Result<Self, InvalidPolicy> {
        let to = match &redirect.to {
            RedirectTo::Parts(parts) => To::Parts(Parts::new(parts)?),
            RedirectTo::Url(replacement) => To::Url {
                pattern: compile(&replacement.pattern)?,
                replacement: replacement.replacement.clone(),
            },
        };
        Ok(Self {
            permanent: redirect.permanent,
            status: redirect.status.map(status).transpose()?,
            to,
        })
    }

    pub(super) fn admit<B>(&self, asked: &Asked<'_>, request: &Request<B>) -> Result<(), Cause> {
        let path = (request.uri().path_and_query()).map_or("/", PathAndQuery::as_str);
        let location = match &self.to {
            To::Parts(parts) => parts.location(asked, path),
            To::Url {
                pattern,
                replacement,
            } => {
                let url = url(asked.scheme, asked.authority, path);
                let location = pattern.replace_all(&url, replacement);
                (location != url).then(|| location.into_owned())
            }
        };
        // What is no header's value leads nowhere.
        let location = location.and_then(|location| HeaderValue::try_from(location).ok());
        match location {
            Some(location) => {
                let status = self
                    .status
                    .unwrap_or_else(|| self.by_method(request.method()));
                Err(Cause::Redirected { status, location })
            }
            None => Ok(()),
        }
    }

    // RFC 9110, section 15.4.2: "For historical reasons, a user agent MAY change the request method from POST to GET"
    // after 301 and 302; after 307 and 308 it does not.
    fn by_method(&self, method: &Method) -> StatusCode {
        let keeps = *method != Method::GET;
        match (self.permanent, keeps) {
            (true, false) => StatusCode::MOVED_PERMANENTLY,
            (true, true) => StatusCode::PERMANENT_REDIRECT,
            (false, false) => StatusCode::FOUND,
            (false, true) => StatusCode::TEMPORARY_REDIRECT,
        }
    }
}

impl Parts {
    fn new(parts: &sluice_proto::RedirectParts) -> Result<Self, InvalidPolicy> {
        let scheme = match parts.scheme.as_deref() {
            None => None,
            Some("http") => Some(Scheme::Http),
            Some("https") => Some(Scheme::Https),
            Some(other) => return Err(InvalidPolicy::Scheme(other.to_owned())),
        };
        let host = parts.host.as_ref().map(|host| {
            let is_one = matches!(HostPattern::parse(host), Ok(HostPattern::Exact(_)));
            let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
            let valid = is_one || is_address;
            valid
                .then(|| host.clone())
                .ok_or_else(|| InvalidPolicy::Host(host.clone()))
        });
        let path = parts.path.as_ref().map(|path| {
            let parsed = PathAndQuery::try_from(path.as_str()).ok();
            let parsed = parsed.filter(|_| path.starts_with('/'));
            parsed.ok_or_else(|| InvalidPolicy::Path(path.clone()))
        });
        Ok(Self {
            scheme,
            host: host.transpose()?,
            port: parts.port,
            path: path.transpose()?,
        })
    }

    /// Returns where the client is sent, if that is elsewhere.
    fn location(&self, asked: &Asked<'_>, path: &str) -> Option<String> {
        let own = asked.authority.parse::<Authority>().ok();
        let own_port = own.as_ref().and_then(Authority::port_u16);
        let scheme = self.scheme.unwrap_or(asked.scheme);
        let host = match (&self.host, &own) {
            (Some(host), _) => host.as_str(),
            (None, Some(own)) => own.host(),
            (None, None) => asked.host,
        };
        let stays = scheme == asked.scheme && self.host.is_none();
        let port = self.port.or_else(|| own_port.filter(|_| stays));
        let port_of = |scheme, port: Option<u16>| port.unwrap_or_else(|| default_port(scheme));
        let path_there = self.path.as_ref().map_or(path, PathAndQuery::as_str);
        let is_here = scheme == asked.scheme
            && port_of(scheme, port) == port_of(asked.scheme, own_port)
            && own
                .as_ref()
                .is_some_and(|own| own.host().eq_ignore_ascii_case(host))
            && path_there == path;
        if is_here {
            return None;
        }
        let port = port.filter(|port| *port != default_port(scheme));
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Some(url(scheme, &authority, path_there))
    }
}

fn url(scheme: Scheme, authority: &str, path: &str) -> String {
    format!("{}://{authority}{path}", scheme.as_str())
}

fn status(status: u16) -> Result<StatusCode, InvalidPolicy> {
    match status {
        301 | 302 | 303 | 307 | 308 => {
            StatusCode::from_u16(status).map_err(|_| InvalidPolicy::Status(status))
        }
        other => Err(InvalidPolicy::Status(other)),
    }
}

const fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}
