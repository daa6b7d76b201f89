//! The values that policies have, each checked while it is read: so an error knows the field. Their schemas say the same to
//! an API server, as far as it can check.

use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sluice_proto::{HostPattern, SourceBy};

use crate::schema::described;
use crate::settings::SetName;
use crate::value::{HeaderName, HeaderValue, Pattern, Range, is_http_url, is_origin, is_path};

/// A number of bytes, at least one.
#[derive(Clone, Copy)]
pub(super) struct Quantity(pub(super) std::num::NonZeroU64);

/// A number of bytes that are kept for each request while it is answered: many at once must fit into a node.
#[derive(Clone, Copy)]
pub(super) struct KeptQuantity(pub(super) u64);

/// A whole number in 0 to 100.
#[derive(Clone, Copy)]
pub(super) struct Percent(pub(super) u32);

/// Whom an address belongs to: a range, or all ranges of a set that the settings name.
pub(super) enum Addresses {
    Range(IpNet),
    Set(String),
}

/// What of a request is counted by.
pub(super) struct By(pub(super) SourceBy);

/// A path, or what it begins with.
pub(super) struct RequestPath(pub(super) String);

/// A path, and perhaps a query.
pub(super) struct PathAndQuery(pub(super) String);

/// A host, without a port.
pub(super) struct Host(pub(super) String);

/// An http or https URL.
pub(super) struct HttpUrl(pub(super) String);

/// Where a client is sent, perhaps with a place for what it has asked for.
pub(super) struct Location(pub(super) String);

/// The name of a cookie.
pub(super) struct CookieName(pub(super) String);

/// An attribute of a cookie.
pub(super) struct CookieAttribute(pub(super) String);

/// A status, or a range of them.
pub(super) struct Statuses(pub(super) RangeInclusive<u16>);

/// A media type, in lower case and without parameters.
pub(super) struct MediaType(pub(super) String);

/// A method.
pub(super) struct Method(pub(super) String);

/// Where a request of a browser comes from, or `*`.
pub(super) struct Origin(pub(super) String);

/// The name of a header, or `*`.
pub(super) struct HeaderOrAny(pub(super) String);

/// A namespace, or `*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Namespace(pub(super) String);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "it is no number of bytes from 1, such as 1048576, 512Ki or 10Mi";
        let written =
            NumberOrText::deserialize(deserializer).map_err(|_| D::Error::custom(what))?;
        let bytes = match written {
            NumberOrText::Number(bytes) => Some(bytes),
            NumberOrText::Text(text) => bytes(&text),
        };
        let bytes = bytes.and_then(std::num::NonZeroU64::new);
        bytes.map(Self).ok_or_else(|| D::Error::custom(what))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "it is no whole number in 0 to 100";
        let number = u32::deserialize(deserializer).map_err(|_| D::Error::custom(what))?;
        let within = (number <= 100).then_some(Self(number));
        within.ok_or_else(|| D::Error::custom(what))
    }
}

impl<'de> Deserialize<'de> for KeptQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Quantity(bytes) = Quantity::deserialize(deserializer)?;
        if bytes.get() > MOST_KEPT {
            return Err(D::Error::custom(
                "it is more than 64Mi, which would be kept for each request",
            ));
        }
        Ok(Self(bytes.get()))
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = serde_json::Value::from(text.as_str());
        if let Ok(range) = Range::deserialize(&value) {
            return Ok(Self::Range(range.0));
        }
        match SetName::deserialize(&value) {
            Ok(set) => Ok(Self::Set(set.0)),
            Err(_) => Err(D::Error::custom(format!(
                "{text:?} is neither an IP address, nor a CIDR range, nor the name of a set of ranges"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let by = match (text.as_str(), text.strip_prefix("header:")) {
            ("client", _) => SourceBy::Client,
            ("peer", _) => SourceBy::Peer,
            ("host", _) => SourceBy::Host,
            (_, Some(name)) => {
                let name: HeaderName =
                    serde_json::from_value(name.into()).map_err(D::Error::custom)?;
                SourceBy::Header(name.0)
            }
            _ => {
                return Err(D::Error::custom(format!(
                    "{text:?} is none of client, peer, host and header:NAME"
                )));
            }
        };
        Ok(Self(by))
    }
}

/// Has a text read that is one if `$is` says so.
macro_rules! text {
    ($type:ident, $is:expr, $what:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let is: fn(&str) -> bool = $is;
                if is(&text) {
                    Ok(Self(text))
                } else {
                    Err(D::Error::custom(format!("{text:?} is no {}", $what)))
                }
            }
        }
    };
}

text!(
    RequestPath,
    |text| text.starts_with('/') && is_path(text),
    "path: it begins with a slash, and has no characters that a path must encode"
);
text!(
    PathAndQuery,
    |text| {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        path.starts_with('/') && is_path(path) && is_path(&query.replace('?', ""))
    },
    "path with or without a query, such as /new?from=old"
);
text!(
    Host,
    |text| matches!(HostPattern::parse(text), Ok(HostPattern::Exact(_))),
    "host, such as www.example.com"
);
text!(
    HttpUrl,
    is_http_url,
    "URL such as http://auth.default.svc:8080/verify"
);
text!(
    Location,
    |text| {
        let is_http = text.starts_with("http://") || text.starts_with("https://");
        is_http && text.bytes().all(|byte| byte.is_ascii_graphic())
    },
    "URL such as https://sso.example.com/?next={url}"
);
text!(
    CookieName,
    |text| {
        let token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        !text.is_empty() && text.bytes().all(token)
    },
    "name of a cookie"
);
text!(
    CookieAttribute,
    |text| {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        !text.is_empty() && text.bytes().all(plain)
    },
    "attribute of a cookie"
);
text!(
    Method,
    |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase()),
    "method, such as GET"
);
text!(
    Origin,
    |text| text == "*" || (text.starts_with("http") && is_origin(text)),
    "origin such as https://example.com, nor *"
);
text!(
    Namespace,
    |text| {
        let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        text == "*" || (1..=63).contains(&text.len()) && text.bytes().all(byte)
    },
    "namespace, nor *"
);

impl<'de> Deserialize<'de> for HeaderOrAny {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "*" {
            return Ok(Self(text));
        }
        let name: HeaderName = serde_json::from_value(text.into()).map_err(D::Error::custom)?;
        Ok(Self(name.0))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "it is neither a status nor a range of them, such as 502 or 503-504";
        let written =
            NumberOrText::deserialize(deserializer).map_err(|_| D::Error::custom(what))?;
        let text = match written {
            NumberOrText::Number(status) => status.to_string(),
            NumberOrText::Text(text) => text,
        };
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let status = |text: &str| {
            let status = text.parse().ok();
            status.filter(|status| (100..=599).contains(status))
        };
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(D::Error::custom(what)),
        }
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let token = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
            !text.is_empty() && text.bytes().all(allowed)
        };
        match text.split_once('/') {
            Some((kind, subtype)) if token(kind) && token(subtype) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(D::Error::custom(format!(
                "{text:?} is no media type, such as text/html"
            ))),
        }
    }
}

described!(Quantity, {
    "x-kubernetes-int-or-string": true,
    "pattern": "^[0-9]+(k|M|G|Ki|Mi|Gi)?$",
    "x-value": "a number of bytes from 1, such as 1048576, 512Ki or 10Mi",
});
described!(KeptQuantity, {
    "x-kubernetes-int-or-string": true,
    "pattern": "^[0-9]+(k|M|G|Ki|Mi|Gi)?$",
    "x-value": "a number of bytes from 1, such as 1048576, 512Ki or 10Mi; at most 64Mi",
});
described!(Percent, {
    "type": "integer", "minimum": 0, "maximum": 100, "x-value": "a whole number, 0 to 100",
});
described!(Addresses, {
    "type": "string", "minLength": 1, "maxLength": 63,
    "pattern": "^([0-9a-fA-F:.]+(/[0-9]{1,3})?|[a-z0-9-]+)$",
    "x-value": "an IP address, a CIDR range, or the name of a set of the settings (`proxySets`)",
});
described!(By, {
    "type": "string", "maxLength": 128,
    "pattern": "^(client|peer|host|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$",
    "x-value": "client, peer, host or header:NAME",
});
described!(RequestPath, {
    "type": "string", "maxLength": 1024, "pattern": "^/[^?#\"<>\\\\\\s]*$", "x-value": "a path",
});
described!(PathAndQuery, {
    "type": "string", "maxLength": 2048, "pattern": "^/[^#\"<>\\\\\\s]*$",
    "x-value": "a path, with or without a query",
});
described!(Host, {
    "type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[A-Za-z0-9._-]+$", "x-value": "a host",
});
described!(HttpUrl, {
    "type": "string", "maxLength": 2048, "pattern": "^https?://[^/?#@\\s]+([/?#]\\S*)?$",
    "x-value": "an http or https URL",
});
described!(Location, {
    "type": "string", "maxLength": 2048, "pattern": "^https?://[^/?#@\\s]+([/?#]\\S*)?$",
    "x-value": "an http or https URL",
});
described!(CookieName, {
    "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "x-value": "the name of a cookie",
});
described!(CookieAttribute, {
    "type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[^;\\s]+$", "x-value": "a text without a semicolon",
});
described!(Method, {
    "type": "string", "maxLength": 32, "pattern": "^[A-Z]+$", "x-value": "a method",
});
described!(Origin, {
    "type": "string", "maxLength": 253, "pattern": "^(\\*|https?://[^/?#@\\s]+)$",
    "x-value": "an origin such as https://example.com, or `*`",
});
described!(HeaderOrAny, {
    "type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "x-value": "the name of a header, or `*`",
});
described!(Namespace, {
    "type": "string", "maxLength": 63, "pattern": "^(\\*|[a-z0-9-]+)$", "x-value": "a namespace, or `*`",
});
described!(Statuses, {
    "x-kubernetes-int-or-string": true, "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$",
    "x-value": "a status, or a range such as 503-504",
});
described!(MediaType, {
    "type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$",
    "x-value": "a media type",
});
described!(HeaderName, {
    "type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "x-value": "the name of a header",
});
described!(HeaderValue, {
    "type": "string", "maxLength": 8192, "x-value": "a value of a header",
});
described!(Pattern, {
    "type": "string", "minLength": 1, "maxLength": 1024, "x-value": "a regular expression",
});

/// A port.
#[derive(Clone, Copy)]
pub(super) struct Port(pub(super) u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "it is no port in 1 to 65535";
        let port = u16::deserialize(deserializer).map_err(|_| D::Error::custom(what))?;
        let port = Some(Self(port)).filter(|_| port > 0);
        port.ok_or_else(|| D::Error::custom(what))
    }
}

described!(Port, {
    "type": "integer", "minimum": 1, "maximum": 65_535, "x-value": "a port",
});

fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

const MOST_KEPT: u64 = 64 << 20;

/// Those of Kubernetes' quantities.
const UNITS: [(&str, u64); 7] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_nothing_else() {
        for (text, expected) in [
            ("1048576", Some(1_048_576)),
            ("512Ki", Some(524_288)),
            ("10Mi", Some(10_485_760)),
            ("1Gi", Some(1_073_741_824)),
            ("2k", Some(2_000)),
            ("3M", Some(3_000_000)),
            ("4G", Some(4_000_000_000)),
            ("20000000000G", None),
            ("10MB", None),
            ("1.5Mi", None),
            ("-1", None),
            ("Mi", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
