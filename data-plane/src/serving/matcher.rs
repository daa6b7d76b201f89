//! What finds requests by a header or a cookie, compiled.

use http::{HeaderMap, HeaderName};
use regex::bytes::{Regex, RegexBuilder};
use sluice_proto::{MOST_PATTERN_BYTES, MatchBy, MatchValue, RequestMatch};

use crate::serving::affinity::cookie;

/// Finds requests by a header or a cookie.
pub(crate) struct Matcher {
    by: By,
    value: Value,
    excludes: bool,
}

enum By {
    Header(HeaderName),
    Cookie(String),
}

enum Value {
    Exact(String),
    Pattern(Regex),
}

/// Why requests cannot be found so: whoever wrote it is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidMatch {
    #[error("{0:?} is not a header's name")]
    HeaderName(String),
    #[error("{pattern:?} is not a regular expression")]
    Pattern {
        pattern: String,
        source: Box<regex::Error>,
    },
}

impl Matcher {
    pub(super) fn new(found: &RequestMatch) -> Result<Self, InvalidMatch> {
        let by = match &found.by {
            MatchBy::Header(name) => By::Header(
                HeaderName::try_from(name).map_err(|_| InvalidMatch::HeaderName(name.clone()))?,
            ),
            MatchBy::Cookie(name) => By::Cookie(name.clone()),
        };
        let value = match &found.value {
            MatchValue::Exact(value) => Value::Exact(value.clone()),
            MatchValue::Pattern(pattern) => Value::Pattern(
                RegexBuilder::new(&format!("^(?:{pattern})$"))
                    .size_limit(MOST_PATTERN_BYTES)
                    .build()
                    .map_err(|source| InvalidMatch::Pattern {
                        pattern: pattern.clone(),
                        source: Box::new(source),
                    })?,
            ),
        };
        Ok(Self {
            by,
            value,
            excludes: found.excludes,
        })
    }

    /// Returns whether what it finds goes elsewhere.
    pub(super) const fn excludes(&self) -> bool {
        self.excludes
    }

    /// Returns whether it finds a request with these headers.
    pub(super) fn finds(&self, headers: &HeaderMap) -> bool {
        match &self.by {
            By::Header(name) => {
                let mut values = headers.get_all(name).iter();
                values.any(|value| self.value.is(value.as_bytes()))
            }
            By::Cookie(name) => {
                cookie(headers, name).is_some_and(|value| self.value.is(value.as_bytes()))
            }
        }
    }
}

impl Value {
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == bytes,
            Self::Pattern(pattern) => pattern.is_match(bytes),
        }
    }
}
