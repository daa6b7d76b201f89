//! The values of a Middleware's fields, each checked while it is read: so the error knows the field.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

pub(super) use crate::value::{HeaderName, HeaderValue, Pattern, Range};

/// A time as Go writes it, such as `1m30s`, or a number of seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Duration(pub(super) std::time::Duration);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = NumberOrText::deserialize(deserializer)
            .map_err(|_| D::Error::custom("it is neither a time nor a number of seconds"))?;
        let duration = match &written {
            NumberOrText::Number(seconds) => Some(std::time::Duration::from_secs(*seconds)),
            NumberOrText::Text(text) => match text.parse() {
                Ok(seconds) => Some(std::time::Duration::from_secs(seconds)),
                Err(_) => go_duration(text),
            },
        };
        let within = duration.filter(|duration| *duration <= LONGEST);
        within.map(Self).ok_or_else(|| {
            D::Error::custom(
                "it is no time of at most 30 days, such as 500ms, 1m30s, or a number of seconds",
            )
        })
    }
}

/// Reads "a possibly signed sequence of decimal numbers, each with optional fraction and a unit suffix" (Go,
/// `time.ParseDuration`), without a sign.
fn go_duration(text: &str) -> Option<std::time::Duration> {
    let mut nanoseconds = 0_u128;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanoseconds = nanoseconds.checked_add(scaled(digits, *scale)?)?;
        rest = after;
    }
    u64::try_from(nanoseconds)
        .ok()
        .map(std::time::Duration::from_nanos)
}

/// Returns a decimal number of units, each of so many nanoseconds.
fn scaled(digits: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let number = |digits: &str| match digits {
        "" => Some(0),
        digits => digits.parse::<u128>().ok(),
    };
    // Beyond nanoseconds of hours nothing counts.
    let fraction = fraction.get(..fraction.len().min(15))?;
    let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = number(whole)?.checked_mul(scale)?;
    whole.checked_add(number(fraction)?.checked_mul(scale)? / parts)
}

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What data planes take as a timeout, at most.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanoseconds) in [
            ("1s", Some(1_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("1h2m3s4ms5us6ns", Some(3_723_004_005_006)),
            ("7\u{b5}s", Some(7_000)),
            ("0.000000001s", Some(1)),
            ("", None),
            ("1", None),
            (".s", None),
            ("s", None),
            ("-1s", None),
            ("1 s", None),
            ("1d", None),
            ("1s2", None),
            ("99999999999999999999999999999999999999999h", None),
        ] {
            let duration = nanoseconds.map(std::time::Duration::from_nanos);
            assert_eq!(go_duration(text), duration, "{text}");
        }
    }

    #[test]
    fn numbers_and_texts_of_seconds_are_durations() {
        for (json, expected) in [
            ("2", Some(2)),
            ("\"2\"", Some(2)),
            ("\"2m\"", Some(120)),
            ("-2", None),
            ("1.5", None),
            ("true", None),
            ("\"721h\"", None),
        ] {
            let read = serde_json::from_str::<Duration>(json).ok();
            assert_eq!(read.map(|read| read.0.as_secs()), expected, "{json}");
        }
    }
}
