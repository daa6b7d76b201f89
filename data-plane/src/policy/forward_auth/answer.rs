//! What the answer of a service that decides means: a request that passes gets headers of it, and a client whose request does
//! not pass gets the answer itself.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, LOCATION, SET_COOKIE, TRAILER};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;

use crate::policy::InvalidPolicy;
use crate::policy::header_rules::{header_name, header_value, is_of_the_connection};
use crate::policy::passage::Asked;
use crate::policy::pattern::compile;
use crate::proxy::{
    Cause, Exchange, Given, Service, read_alike, remove_connection_headers, remove_named,
};

/// How an answer is read.
pub(super) struct Reading {
    headers: Vec<HeaderName>,
    pattern: Option<Regex>,
    cookies: Vec<String>,
    user_header: Option<HeaderName>,
    keep_location: bool,
    sign_in_url: Option<String>,
}

/// The cookies that the client gets with its response.
pub(in crate::policy) struct Cookies(Vec<HeaderValue>);

impl Reading {
    pub(super) fn new(auth: &sluice_proto::ForwardAuth) -> Result<Self, InvalidPolicy> {
        let pattern = auth.response_headers_pattern.as_deref();
        if let Some(url) = &auth.sign_in_url {
            header_value(url)?;
        }
        let headers = auth.response_headers.iter();
        let user_header = auth.user_header.as_deref();
        Ok(Self {
            headers: headers
                .map(|name| handed_over(name))
                .collect::<Result<_, _>>()?,
            // As Traefik has it, found anywhere; names of headers have no case.
            pattern: pattern
                .map(|pattern| compile(&format!("(?i:{pattern})")))
                .transpose()?,
            cookies: auth.cookies.clone(),
            user_header: user_header.map(handed_over).transpose()?,
            keep_location: auth.keep_location,
            sign_in_url: auth.sign_in_url.clone(),
        })
    }

    /// Lets a request pass, with the headers of the answer instead of its own, or says what its client gets.
    pub(super) fn read(
        &self,
        answer: Response<Bytes>,
        service: &Service,
        asked: &Asked<'_>,
        exchange: &mut Exchange,
        request: &mut HeaderMap,
    ) -> Result<Cookies, Cause> {
        if !answer.status().is_success() {
            return Err(self.denial(answer, service, asked));
        }
        self.hand_over(answer.headers(), request);
        let user = self.user_header.as_ref();
        let user = user.and_then(|name| answer.headers().get(name)?.to_str().ok());
        if let Some(user) = user {
            exchange.name_user(user.to_owned());
        }
        let cookies = answer.headers().get_all(SET_COOKIE).iter();
        let listed = cookies.filter(|cookie| self.is_listed(cookie));
        Ok(Cookies(listed.cloned().collect()))
    }

    /// Gives a client these cookies, in the place of the backend's of the same names.
    pub(super) fn give(&self, cookies: &Cookies, headers: &mut HeaderMap) {
        if cookies.0.is_empty() {
            return;
        }
        let backends = headers.get_all(SET_COOKIE).iter();
        let others = backends.filter(|cookie| !self.is_listed(cookie));
        let all: Vec<_> = others.chain(&cookies.0).cloned().collect();
        headers.remove(SET_COOKIE);
        for cookie in all {
            headers.append(SET_COOKIE, cookie);
        }
    }

    // What a client says in a header of these names is taken out, whether the answer has it or not.
    fn hand_over(&self, answer: &HeaderMap, request: &mut HeaderMap) {
        remove_named(request, |name| self.may_be_read_as_answers(name.as_str()));
        let answers = answer.iter();
        for (name, value) in answers.filter(|(name, _)| self.is_answers(name.as_str())) {
            request.append(name, value.clone());
        }
    }

    fn is_answers(&self, name: &str) -> bool {
        self.listed().any(|listed| listed == name) || self.fits(name)
    }

    /// Returns whether a backend could take a header for one of the answer, by another spelling, too.
    fn may_be_read_as_answers(&self, name: &str) -> bool {
        let other_spellings = || [name.replace('_', "-"), name.replace('-', "_")];
        self.listed().any(|listed| read_alike(listed, name))
            || self.fits(name)
            || (self.pattern.is_some() && other_spellings().iter().any(|name| self.fits(name)))
    }

    fn listed(&self) -> impl Iterator<Item = &str> {
        let listed = self.headers.iter().chain(&self.user_header);
        listed.map(HeaderName::as_str)
    }

    fn fits(&self, name: &str) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_some_and(|pattern| pattern.is_match(name)) && !is_sluices(name)
    }

    fn denial(&self, answer: Response<Bytes>, service: &Service, asked: &Asked<'_>) -> Cause {
        let (parts, body) = answer.into_parts();
        if let (StatusCode::UNAUTHORIZED, Some(url)) = (parts.status, &self.sign_in_url) {
            return sign_in(url, asked);
        }
        let mut headers = parts.headers;
        remove_connection_headers(&mut headers);
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRAILER);
        let location = headers.get(LOCATION).filter(|_| !self.keep_location);
        let location = location.and_then(|location| resolve(location.to_str().ok()?, service));
        if let Some(location) = location {
            headers.insert(LOCATION, location);
        }
        Cause::AuthDenied(Box::new(Given {
            status: parts.status,
            headers,
            body,
        }))
    }

    fn is_listed(&self, cookie: &HeaderValue) -> bool {
        let name = cookie.as_bytes().split(|byte| *byte == b'=').next();
        let name = name.unwrap_or_default().trim_ascii();
        self.cookies.iter().any(|listed| listed.as_bytes() == name)
    }
}

/// Returns where a client can sign in; there, `{url}` stands for what it has asked for.
fn sign_in(url: &str, asked: &Asked<'_>) -> Cause {
    let path = asked.uri.path_and_query();
    let path = path.map_or("/", PathAndQuery::as_str);
    let here = format!("{}://{}{path}", asked.scheme.as_str(), asked.authority);
    let here = utf8_percent_encode(&here, ENCODED).to_string();
    match HeaderValue::try_from(url.replace("{url}", &here)) {
        Ok(location) => Cause::Redirected {
            status: StatusCode::FOUND,
            location,
        },
        Err(_) => Cause::AuthBroken,
    }
}

/// Returns where a relative `Location` leads, seen from the service; what remains to be done (dot segments), clients do.
fn resolve(location: &str, service: &Service) -> Option<HeaderValue> {
    let Service {
        scheme,
        authority,
        path,
        ..
    } = service;
    let resolved = if has_scheme(location) {
        return None;
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", path.path())
    } else if location.is_empty() || location.starts_with('#') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let folder = path.path().rfind('/').map_or("", |end| &path.path()[..end]);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    HeaderValue::try_from(resolved).ok()
}

// RFC 3986, section 3.1: "scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )"; a colon after anything else is a path's.
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && Scheme::try_from(scheme).is_ok()
    })
}

fn handed_over(name: &str) -> Result<HeaderName, InvalidPolicy> {
    let parsed = header_name(name)?;
    if is_of_the_connection(parsed.as_str()) || parsed == HOST {
        return Err(InvalidPolicy::HeaderReserved(name.to_owned()));
    }
    Ok(parsed)
}

// What a pattern such as "^X-" fits only by accident: what frames the request, and what tells the backend of its client.
fn is_sluices(name: &str) -> bool {
    is_of_the_connection(name) || name == HOST.as_str() || IDENTITY.contains(&name)
}

const IDENTITY: [&str; 6] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];
// All but what RFC 3986, section 2.3, calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use sluice_proto::UpstreamTls;

    use super::*;

    #[test]
    fn a_relative_location_is_seen_from_the_service() {
        let service = Service::new("http://auth:81/a/verify?x=y", &UpstreamTls::default()).unwrap();
        for (location, expected) in [
            ("https://login.example/", None),
            ("mailto:a@b", None),
            ("//login.example/x", Some("http://login.example/x")),
            ("/login?a=b", Some("http://auth:81/login?a=b")),
            ("login", Some("http://auth:81/a/login")),
            ("?again", Some("http://auth:81/a/verify?again")),
            ("#top", Some("http://auth:81/a/verify?x=y#top")),
            ("/a:b", Some("http://auth:81/a:b")),
        ] {
            let resolved = resolve(location, &service);
            let resolved = resolved.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(resolved, expected, "{location}");
        }
    }
}
