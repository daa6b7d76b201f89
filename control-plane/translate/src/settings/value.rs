//! The values of the settings file, each checked while it is read: so the error knows the line.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::settings::StatusAddress;

/// A timeout: what data planes accept as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timeout(pub(super) Duration);

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
#[derive(Clone, Copy)]
pub(super) struct Number<const MOST: u32>(pub(super) u32);

impl<'de, const MOST: u32> Deserialize<'de> for Number<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As text, so that a number of any size gets the same answer.
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(number) if (1..=MOST).contains(&number) => Ok(Self(number)),
            _ => Err(D::Error::custom(format!(
                "{text:?} is no whole number in 1 to {MOST}"
            ))),
        }
    }
}

/// A text that is not empty.
pub(super) struct Text(pub(super) String);

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
#[derive(Default)]
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
pub(super) struct Controllers(pub(super) BTreeSet<String>);

impl<'de> Deserialize<'de> for Controllers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let controllers = BTreeSet::<String>::deserialize(deserializer)?;
        if controllers.is_empty() || controllers.contains("") {
            return Err(D::Error::custom(
                "there must be at least one controller, such as ingress.sluice.dev/controller",
            ));
        }
        Ok(Self(controllers))
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
