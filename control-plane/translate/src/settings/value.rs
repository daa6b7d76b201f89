//! The values that settings have, each checked while it is read: so an error knows the field, and of a file the line.
//! Their schemas say the same to an API server, as far as it can check.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

use crate::schema::described;
use crate::settings::StatusAddress;

/// A timeout: what data planes accept as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Timeout(pub(crate) Duration);

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let milliseconds = milliseconds(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no duration: write such as 250ms, 15s, 3m or 1h"
            ))
        })?;
        if !(1..=MOST_MS).contains(&milliseconds) {
            return Err(D::Error::custom(format!(
                "{text} is not in 1ms to 720h (30 days)"
            )));
        }
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

/// A whole number from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<const MOST: u32>(pub(crate) u32);

impl<'de, const MOST: u32> Deserialize<'de> for Number<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole::<MOST>)
    }
}

struct Whole<const MOST: u32>;

impl<const MOST: u32> Visitor<'_> for Whole<MOST> {
    type Value = Number<MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number in 1 to {MOST}")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number<MOST>, E> {
        match u32::try_from(number) {
            Ok(number) if (1..=MOST).contains(&number) => Ok(Number(number)),
            _ => Err(E::custom(format!("{number} is not in 1 to {MOST}"))),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Number<MOST>, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::custom(format!("{number} is not in 1 to {MOST}"))),
        }
    }
}

/// A text that is not empty.
#[derive(Clone, Debug)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(D::Error::custom("it is empty"));
        }
        Ok(Self(text))
    }
}

/// A listener's name, which also stands in flags: `--listen NAME=ADDRESS`.
#[derive(Clone, Debug)]
pub(super) struct Name(pub(super) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=63).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(D::Error::custom(format!(
                "{name:?} is no name: 1 to 63 lower-case letters, digits and hyphens"
            )));
        }
        Ok(Self(name))
    }
}

/// An IP address; empty for every address of the node.
#[derive(Clone, Debug, Default)]
pub(super) struct Address(pub(super) Option<IpAddr>);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(address) => Ok(Self(Some(address))),
            Err(_) => Err(D::Error::custom(format!(
                "{text:?} is no IP address; leave it empty for every address of the node"
            ))),
        }
    }
}

/// A CIDR range.
#[derive(Clone, Debug)]
pub(super) struct Range(pub(super) IpNet);

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<IpNet>() {
            Ok(range) => Ok(Self(range)),
            Err(_) => Err(D::Error::custom(format!(
                "{text:?} is no CIDR range, such as 10.0.0.0/8 or 2001:db8::/32"
            ))),
        }
    }
}

/// What stands in the status of an Ingress: an IP address or a DNS name.
#[derive(Clone, Debug)]
pub(super) struct PublishedAddress(pub(super) StatusAddress);

impl<'de> Deserialize<'de> for PublishedAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(address) = text.parse() {
            return Ok(Self(StatusAddress::Ip(address)));
        }
        // What the API server takes as `hostname`: "a lowercase RFC 1123 subdomain".
        let label = |label: &str| {
            let byte =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let ends = label.starts_with('-') || label.ends_with('-');
            (1..=63).contains(&label.len()) && !ends && label.bytes().all(byte)
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return Err(D::Error::custom(format!(
                "{text:?} is neither an IP address nor a DNS name in lower case"
            )));
        }
        Ok(Self(StatusAddress::Hostname(text)))
    }
}

/// The name of a header; kept in lower case.
#[derive(Clone, Debug)]
pub(super) struct Header(pub(super) String);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // "token = 1*tchar" (RFC 9110, section 5.6.2).
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(D::Error::custom(format!("{name:?} is no name of a header")));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

/// The controllers of served classes; at least one.
#[derive(Clone, Debug)]
pub(super) struct Controllers(pub(super) BTreeSet<String>);

impl<'de> Deserialize<'de> for Controllers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let controllers = Vec::<Text>::deserialize(deserializer)?;
        if controllers.is_empty() {
            return Err(D::Error::custom(
                "there must be at least one controller, such as ingress.sluice.dev/controller",
            ));
        }
        Ok(Self(controllers.into_iter().map(|text| text.0).collect()))
    }
}

/// The name of a set of ranges.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SetName(pub(crate) String);

impl<'de> Deserialize<'de> for SetName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Name::deserialize(deserializer)?.0))
    }
}

/// A day.
#[derive(Clone, Debug)]
pub(super) struct Date(pub(super) String);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = |(index, byte): (usize, u8)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        if text.len() != 10 || !text.bytes().enumerate().all(fits) {
            return Err(D::Error::custom(format!(
                "{text:?} is no day, such as 2023-09-28"
            )));
        }
        Ok(Self(text))
    }
}

described!(Timeout, {
    "type": "string",
    "maxLength": 16,
    "pattern": "^[0-9]+(ms|s|m|h)$",
    "x-kubernetes-validations": [{
        "rule": "duration(self) >= duration('1ms') && duration(self) <= duration('720h')",
        "message": "must be in 1ms to 720h (30 days)",
    }],
    "x-value": "a duration in ms, s, m or h; 1ms to 720h",
});
described!(Text, {"type": "string", "minLength": 1, "maxLength": 253, "x-value": "a text"});
described!(Name, {
    "type": "string",
    "maxLength": 63,
    "pattern": "^[a-z0-9-]+$",
    "x-value": "a name: lower-case letters, digits and hyphens",
});
described!(SetName, {
    "type": "string",
    "maxLength": 63,
    "pattern": "^[a-z0-9-]+$",
    "x-value": "a name: lower-case letters, digits and hyphens",
});
described!(Address, {
    "type": "string",
    "maxLength": 45,
    "pattern": "^$|^[0-9]{1,3}(\\.[0-9]{1,3}){3}$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$",
    "x-value": "an IP address",
});
described!(Range, {
    "type": "string",
    "maxLength": 49,
    // CEL's isCIDR is younger than the oldest Kubernetes that Sluice is for.
    "pattern": "^([0-9]{1,3}(\\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$",
    "x-value": "a CIDR range",
});
described!(PublishedAddress, {
    "type": "string",
    "minLength": 1,
    "maxLength": 253,
    "x-value": "an IP address or a DNS name",
});
described!(Header, {
    "type": "string",
    "maxLength": 128,
    "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "x-value": "the name of a header",
});
described!(Controllers, {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 253},
    "minItems": 1,
    "maxItems": 64,
    "x-kubernetes-list-type": "set",
    "x-value": "a list of controllers",
});
described!(Date, {
    "type": "string",
    "maxLength": 10,
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "x-value": "a day, such as 2023-09-28",
});

impl<const MOST: u32> JsonSchema for Number<MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("Number{MOST}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "format": "int64",
            "minimum": 1,
            "maximum": MOST,
            "x-value": format!("a whole number, 1 to {MOST}"),
        })
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    // A number too large for its type is out of range, too.
    let number: u64 = number.parse().ok()?;
    Some(number.saturating_mul(unit))
}

const MOST_MS: u64 = 30 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_nothing_else() {
        for (text, expected) in [
            ("250ms", Some(250)),
            ("15s", Some(15_000)),
            ("3m", Some(180_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("18446744073709551615h", Some(u64::MAX)),
            ("18446744073709551616s", None),
            ("15", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("1d", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
