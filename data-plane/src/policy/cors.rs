//! CORS (the Fetch standard): what browsers may do for other sites.
//!
//! The policy alone decides: what a backend says itself is taken out. Whoever may not ask is told nothing, least of all who
//! may. A preflight request is answered here, for a backend that has never heard of it would not know what to say.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use regex::Regex;

use crate::policy::InvalidPolicy;
use crate::policy::header_rules::header_value;
use crate::policy::pattern::compile;
use crate::proxy::{Cause, Given};

/// What browsers may do for other sites.
pub(super) struct Cors {
    origins: Origins,
    methods: Names,
    headers: Names,
    exposed: Names,
    credentials: bool,
    max_age: Option<HeaderValue>,
    varies: bool,
    preflight_status: StatusCode,
    answer_all_preflights: bool,
}

struct Origins {
    all: bool,
    listed: Vec<String>,
    patterns: Vec<Regex>,
}

/// Names, as one header's value.
struct Names {
    all: bool,
    joined: Option<HeaderValue>,
}

impl Cors {
    pub(super) fn new(cors: &sluice_proto::Cors) -> Result<Self, InvalidPolicy> {
        let origins = Origins::new(cors)?;
        let status = StatusCode::from_u16(cors.preflight_status).ok();
        let status = status.filter(StatusCode::is_success);
        Ok(Self {
            varies: cors.vary || !origins.all || cors.credentials,
            origins,
            methods: Names::new(&cors.methods)?,
            headers: Names::new(&cors.headers)?,
            exposed: Names::new(&cors.exposed_headers)?,
            credentials: cors.credentials,
            max_age: cors.max_age_s.map(HeaderValue::from),
            preflight_status: status.ok_or(InvalidPolicy::Status(cors.preflight_status))?,
            answer_all_preflights: cors.answer_all_preflights,
        })
    }

    /// Answers preflight requests; all others pass.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Cause> {
        let asked = request.headers();
        let method = asked.get(ACCESS_CONTROL_REQUEST_METHOD);
        let (&Method::OPTIONS, Some(origin), Some(method)) =
            (request.method(), asked.get(ORIGIN), method)
        else {
            return Ok(());
        };
        let mut headers = HeaderMap::new();
        match self.permitted(Some(origin)) {
            Some(permitted) => {
                self.permit(permitted, &mut headers);
                // "*" stands for all only where no credentials are sent.
                let all = |names: &Names| names.all && self.credentials;
                let methods = if all(&self.methods) {
                    Some(method)
                } else {
                    self.methods.joined.as_ref()
                };
                let names = if all(&self.headers) {
                    asked.get(ACCESS_CONTROL_REQUEST_HEADERS)
                } else {
                    self.headers.joined.as_ref()
                };
                set(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, methods);
                set(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, names);
                let max_age = self.max_age.as_ref();
                set(&mut headers, ACCESS_CONTROL_MAX_AGE, max_age);
            }
            None if self.answer_all_preflights => {}
            None => return Ok(()),
        }
        if self.varies {
            vary_by_origin(&mut headers);
        }
        Err(Cause::Preflight(Box::new(Given {
            status: self.preflight_status,
            headers,
            ..Given::default()
        })))
    }

    /// Says in a response what scripts of the site that asked may do with it.
    pub(super) fn release(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in &SAID_BY_BACKENDS {
            headers.remove(name);
        }
        if let Some(permitted) = self.permitted(origin) {
            self.permit(permitted, headers);
            // With credentials, "*" would be the name of a header.
            let exposed = &self.exposed;
            let is_name = exposed.all && self.credentials;
            let exposed = exposed.joined.as_ref().filter(|_| !is_name);
            set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        if self.varies {
            vary_by_origin(headers);
        }
    }

    fn permit(&self, origin: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }

    /// Returns who is told to be permitted, if this origin is.
    fn permitted(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        // A browser that is to send credentials does not take "*".
        if self.origins.all && !self.credentials {
            return Some(HeaderValue::from_static("*"));
        }
        let origin = origin?;
        let text = origin.to_str().ok()?;
        self.origins.have(text).then(|| origin.clone())
    }
}

impl Origins {
    fn new(cors: &sluice_proto::Cors) -> Result<Self, InvalidPolicy> {
        let listed = cors.origins.iter().filter(|origin| *origin != "*");
        // Of a part that could be found anywhere, "https://example.com.evil.example" would have one.
        let whole = |pattern: &String| compile(&format!("^(?i:{pattern})$"));
        Ok(Self {
            all: cors.origins.iter().any(|origin| origin == "*"),
            listed: listed.map(|text| origin(text)).collect::<Result<_, _>>()?,
            patterns: (cors.origin_patterns.iter().map(whole)).collect::<Result<_, _>>()?,
        })
    }

    fn have(&self, origin: &str) -> bool {
        let is_listed = || {
            let mut listed = self.listed.iter();
            listed.any(|listed| listed.eq_ignore_ascii_case(origin))
        };
        let fits = || self.patterns.iter().any(|pattern| pattern.is_match(origin));
        self.all || is_listed() || fits()
    }
}

impl Names {
    fn new(names: &[String]) -> Result<Self, InvalidPolicy> {
        let joined = (!names.is_empty()).then(|| header_value(&names.join(", ")));
        Ok(Self {
            all: names.iter().any(|name| name == "*"),
            joined: joined.transpose()?,
        })
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}

// Caches must not give one site what was said to another.
fn vary_by_origin(headers: &mut HeaderMap) {
    let names = |value: &HeaderValue| {
        let mut names = value.as_bytes().split(|byte| *byte == b',');
        names.any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(ORIGIN.as_str().as_bytes())
        })
    };
    if !headers.get_all(VARY).iter().any(names) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Returns an origin as browsers write it: without the port that its scheme has anyway.
fn origin(written: &str) -> Result<String, InvalidPolicy> {
    if written == "null" {
        return Ok(written.to_owned());
    }
    let invalid = || InvalidPolicy::Origin(written.to_owned());
    let (scheme, host) = written.split_once("://").ok_or_else(invalid)?;
    let is_scheme = !scheme.is_empty()
        && (scheme.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_host = !host.contains(['*', '@']) && host.parse::<Authority>().is_ok();
    if !is_scheme || !is_host {
        return Err(invalid());
    }
    let port = match &*scheme.to_ascii_lowercase() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(port).unwrap_or(host);
    Ok(format!("{scheme}://{host}"))
}

const SAID_BY_BACKENDS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for (written, expected) in [
            ("https://example.com", Some("https://example.com")),
            ("https://example.com:443", Some("https://example.com")),
            ("http://example.com:80", Some("http://example.com")),
            ("http://example.com:8080", Some("http://example.com:8080")),
            ("https://[::1]:8443", Some("https://[::1]:8443")),
            ("app://localhost", Some("app://localhost")),
            ("null", Some("null")),
            ("example.com", None),
            ("https://example.com/", None),
            ("https://*.example.com", None),
            ("https://user@example.com", None),
            ("://example.com", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(origin(written).ok().as_deref(), expected, "{written}");
        }
    }
}
