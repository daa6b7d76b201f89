//! Values that every dialect has, each checked while it is read: so an error knows the field.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// An IP address or a CIDR range.
pub(crate) struct Range(pub(crate) IpNet);

/// The name of a header; kept in lower case.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct HeaderName(pub(crate) String);

/// The value of a header.
#[derive(Default)]
pub(crate) struct HeaderValue(pub(crate) String);

/// A regular expression.
pub(crate) struct Pattern(pub(crate) String);

/// Returns whether this is an http or https URL that names no user.
pub(crate) fn is_http_url(url: &str) -> bool {
    let after = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let authority = after.and_then(|after| after.split(['/', '?', '#']).next());
    let is_graphic = url.bytes().all(|byte| byte.is_ascii_graphic());
    is_graphic
        && authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
}

/// Returns whether this can stand in a request's path.
pub(crate) fn is_path(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\".contains(&byte);
    text.bytes().all(allowed)
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address = text
            .parse::<IpAddr>()
            .map(|address| IpNet::from(address.to_canonical()));
        match address.or_else(|_| text.parse::<IpNet>()) {
            Ok(range) => Ok(Self(range.trunc())),
            Err(_) => Err(D::Error::custom(format!(
                "{text:?} is neither an IP address nor a CIDR range"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // "token = 1*tchar" (RFC 9110, section 5.6.2).
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(D::Error::custom(format!("{name:?} is no name of a header")));
        }
        let name = name.to_ascii_lowercase();
        if OF_CONNECTIONS.contains(&name.as_str()) {
            return Err(D::Error::custom(format!(
                "{name} is a matter of each connection, which Sluice writes itself"
            )));
        }
        Ok(Self(name))
    }
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        // A value that YAML folds ends with a line break; Go writes a space for each.
        let value = value.replace(['\r', '\n'], " ").trim().to_owned();
        let allowed = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        if !value.bytes().all(allowed) {
            return Err(D::Error::custom(
                "it has characters that no header may have",
            ));
        }
        Ok(Self(value))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        let pattern = pattern.trim();
        if pattern.is_empty() {
            return Err(D::Error::custom("it is empty"));
        }
        match regex_syntax::parse(pattern) {
            Ok(_) => Ok(Self(pattern.to_owned())),
            Err(error) => Err(D::Error::custom(format!(
                "{pattern:?} is no regular expression: {}",
                reason(&error)
            ))),
        }
    }
}

/// Returns what is wrong in one line.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "it cannot be read".to_owned(),
    }
}

/// Headers that frame messages or manage the connection: another value of them would let two sides disagree about where a
/// message ends.
const OF_CONNECTIONS: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_range_is_an_address_or_a_network() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1/32")),
            ("10.0.0.1/8", Some("10.0.0.0/8")),
            ("::ffff:10.0.0.1", Some("10.0.0.1/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("10.0.0.0/33", None),
            ("example.com", None),
        ] {
            let read = serde_json::from_value::<Range>(text.into()).ok();
            assert_eq!(
                read.map(|read| read.0.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
