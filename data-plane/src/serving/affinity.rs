//! Sticky sessions: the cookie that names the endpoint which has answered a client.
//!
//! It names an endpoint by a hash of its address, so nothing is remembered here, every node understands what another one
//! has set, and restarts change nothing.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use sluice_proto::{SameSite, Sticky};

use crate::serving::endpoint::Endpoint;

/// The cookie of a route.
pub(crate) struct Affinity {
    name: String,
    // What stands behind the value in `Set-Cookie`.
    attributes: String,
}

impl Affinity {
    pub(super) fn new(sticky: &Sticky) -> Self {
        let mut attributes = format!("; Path={}", sticky.path);
        if let Some(domain) = &sticky.domain {
            attributes.push_str(&format!("; Domain={domain}"));
        }
        match sticky.max_age_s {
            0 => {}
            // "If delta-seconds is less than or equal to zero": gone at once.
            seconds if seconds < 0 => attributes.push_str("; Max-Age=0"),
            seconds => attributes.push_str(&format!("; Max-Age={seconds}")),
        }
        if sticky.http_only {
            attributes.push_str("; HttpOnly");
        }
        if sticky.secure {
            attributes.push_str("; Secure");
        }
        attributes.push_str(match sticky.same_site {
            SameSite::Unset => "",
            SameSite::None => "; SameSite=None",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::Strict => "; SameSite=Strict",
        });
        Self {
            name: sticky.cookie.clone(),
            attributes,
        }
    }

    /// Returns which endpoint a client comes back to.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<u64> {
        let value = cookie(headers, &self.name)?;
        (value.len() == DIGITS).then(|| u64::from_str_radix(value, 16).ok())?
    }

    /// Returns the cookie by which a client comes back to this endpoint.
    pub(crate) fn set_cookie(&self, endpoint: &Endpoint) -> Option<HeaderValue> {
        let Self { name, attributes } = self;
        let affinity = endpoint.affinity;
        HeaderValue::try_from(format!("{name}={affinity:0DIGITS$x}{attributes}")).ok()
    }
}

/// Returns the value of the first cookie of this name. HTTP/2 may have several headers of cookies.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}

const DIGITS: usize = 16;
