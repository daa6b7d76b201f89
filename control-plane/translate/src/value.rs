//! Values that every dialect has, each checked while it is read: so an error knows the field.

use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;
use ipnet::IpNet;
use regex::RegexBuilder;
use rustls_pki_types::ServerName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sluice_proto::MOST_PATTERN_BYTES;

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

/// Returns whether this is an http or https URL that names no user: one that can be asked.
pub(crate) fn is_http_url(url: &str) -> bool {
    let Ok(parsed) = url.parse::<Uri>() else {
        return false;
    };
    let Some(authority) = parsed.authority().filter(|own| !own.as_str().contains('@')) else {
        return false;
    };
    let host = authority.host();
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    match parsed.scheme_str() {
        Some("http") => !host.is_empty(),
        // Its certificate has to be for that name.
        Some("https") => ServerName::try_from(host).is_ok(),
        _ => false,
    }
}

/// Returns whether this is an origin as browsers write it, such as `https://example.com`.
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return text == "null";
    };
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(of_scheme);
    is_scheme && !host.contains(['*', '@']) && host.parse::<Authority>().is_ok()
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
        if let Err(error) = regex_syntax::parse(pattern) {
            let reason = reason(&error);
            return Err(D::Error::custom(format!(
                "{pattern:?} is no regular expression: {reason}"
            )));
        }
        // As data planes do it at most: between other parts, in either case.
        let most = RegexBuilder::new(&format!("^(?i:{pattern})$"))
            .size_limit(MOST_PATTERN_BYTES)
            .build();
        match most {
            Ok(_) => Ok(Self(pattern.to_owned())),
            Err(regex::Error::CompiledTooBig(limit)) => Err(D::Error::custom(format!(
                "{pattern:?} takes more than {limit} bytes when it is compiled; a smaller number of repetitions does not, and \
                 [0-9A-Za-z_] instead of \\w, which stands for the letters of all scripts"
            ))),
            Err(_) => Err(D::Error::custom(format!(
                "{pattern:?} does not end by itself: it must not end in a comment"
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
    fn a_pattern_is_one_that_data_planes_compile() {
        for (pattern, wrong) in [
            ("^/api/v[0-9]+/(.*)$", None),
            ("(?x) a b", None),
            ("(", Some("is no regular expression")),
            ("(a{1000}){1000}", Some("takes more than 2097152 bytes")),
            ("(?x) a # b", Some("must not end in a comment")),
            (" ", Some("it is empty")),
        ] {
            let error = serde_json::from_value::<Pattern>(pattern.into()).err();
            let error = error.map(|error| error.to_string());
            assert_eq!(error.is_some(), wrong.is_some(), "{pattern}: {error:?}");
            if let (Some(error), Some(wrong)) = (error, wrong) {
                assert!(error.contains(wrong), "{pattern}: {error}");
            }
        }
    }

    #[test]
    fn a_url_is_one_that_data_planes_can_ask() {
        for (url, expected) in [
            ("http://auth.default.svc:8080/verify?a=b", true),
            ("https://auth.example.com", true),
            ("http://10.0.0.1", true),
            ("https://[2001:db8::1]:8443/", true),
            ("http://user@auth.example.com", false),
            ("https://-x/", false),
            ("http://%41/", false),
            ("http://a b/", false),
            ("ftp://auth.example.com", false),
            ("/verify", false),
        ] {
            assert_eq!(is_http_url(url), expected, "{url}");
        }
    }

    #[test]
    fn an_origin_is_what_browsers_send() {
        for (origin, expected) in [
            ("https://example.com", true),
            ("https://example.com:8443", true),
            ("null", true),
            ("https://example.com/", false),
            ("https://*.example.com", false),
            (r"https://a\b", false),
            ("https://%41.example", false),
            ("example.com", false),
        ] {
            assert_eq!(is_origin(origin), expected, "{origin}");
        }
    }

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
