//! Which headers end at a proxy, in both directions, and what HTTP/2 and HTTP/1.1 write differently.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, TE, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Version};

use crate::proxy::target::Target;
use crate::proxy::upgrade::Wanted;

/// Makes a client's header section one for a backend, but for who the client is.
pub(super) fn prepare<B>(request: &mut Request<B>, target: &Target, upgrade: Option<&Wanted>) {
    let is_http2 = request.version() >= Version::HTTP_2;
    let headers = request.headers_mut();
    // RFC 9110, section 10.1.4: "A sender of TE MUST also send a "TE" connection option"; gRPC wants to see it.
    let accepts_trailers = headers.get_all(TE).iter().any(names_trailers);
    remove_connection_headers(headers);
    if accepts_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if is_http2 {
        join_cookies(headers);
    }
    if headers.get(HOST) != Some(target.authority()) {
        headers.insert(HOST, target.authority().clone());
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade.protocol().clone());
    }
}

/// Takes out what is between two neighbours only.
///
/// RFC 9110, section 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is forwarded
/// and, for each connection-option in this field, remove any header or trailer field(s) from the message with the same
/// name as the connection-option, and then remove the Connection header field itself".
pub(crate) fn remove_connection_headers(headers: &mut HeaderMap) {
    let mut removed = named(headers, is_of_connection);
    if removed.contains(&CONNECTION) {
        removed.extend(listed(headers));
    }
    for name in removed {
        headers.remove(name);
    }
}

/// Returns the names of the headers that `are` of a kind, by one look at each: most messages have few.
fn named(headers: &HeaderMap, are: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    headers.keys().filter(|name| are(name)).cloned().collect()
}

/// Takes out the headers that `are` of a kind.
pub(crate) fn remove_named(headers: &mut HeaderMap, are: impl Fn(&HeaderName) -> bool) {
    for name in named(headers, are) {
        headers.remove(name);
    }
}

/// Returns whether servers that hand headers on as variables (CGI, WSGI) read two names as one: to those `X_User` is `X-User`.
pub(crate) fn read_alike(one: &str, other: &str) -> bool {
    let is_joint = |byte: u8| matches!(byte, b'-' | b'_');
    let mut pairs = one.bytes().zip(other.bytes());
    one.len() == other.len() && pairs.all(|(a, b)| a == b || (is_joint(a) && is_joint(b)))
}

/// Returns what else such servers read a name with underscores as.
pub(super) fn with_hyphens(name: &str) -> Option<String> {
    name.contains('_').then(|| name.replace('_', "-"))
}

fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            // hyper asks for the body as soon as an endpoint takes it, so it is answered here.
            | "expect"
    )
}

// "A sender MUST NOT send a connection option corresponding to a field that is intended for all recipients of the
// content": what frames and routes the message, and what a trusted peer says of the client, stays whatever is listed.
fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !is_for_all(name))
        .collect()
}

fn is_for_all(name: &HeaderName) -> bool {
    *name == HOST
        || *name == CONTENT_LENGTH
        || *name == COOKIE
        || name.as_str().starts_with("x-forwarded-")
        || FOR_ALL.contains(&name.as_str())
}

fn names_trailers(value: &HeaderValue) -> bool {
    let mut codings = value.as_bytes().split(|byte| *byte == b',');
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

// RFC 9113, section 8.2.3: "If there are multiple Cookie header fields after decompression, these MUST be concatenated
// into a single octet string using the two-octet delimiter of 0x3b, 0x20 (the ASCII string "; ") before being passed
// into a non-HTTP/2 context".
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if cookies.nth(1).is_none() {
        return;
    }
    let parts: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

const FOR_ALL: [&str; 5] = [
    "authorization",
    "cf-connecting-ip",
    "forwarded",
    "x-real-ip",
    "x-request-id",
];
