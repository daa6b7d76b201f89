//! What finds requests by a header or a cookie.
//!
//! It does not compile a pattern: a data plane does, and refuses what it cannot.

use crate::error::InvalidResource;
use crate::wire;

/// Finds requests by a header or a cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestMatch {
    /// What is looked at.
    pub by: MatchBy,
    /// What it must hold.
    pub value: MatchValue,
    /// Whether what is found goes to any other backend instead.
    pub excludes: bool,
}

/// What is looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MatchBy {
    /// The header of this name.
    Header(String),
    /// The cookie of this name.
    Cookie(String),
}

/// What it must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MatchValue {
    /// These bytes.
    Exact(String),
    /// What a regular expression finds, anchored at both ends.
    Pattern(String),
}

impl TryFrom<wire::RequestMatch> for RequestMatch {
    type Error = InvalidResource;

    fn try_from(message: wire::RequestMatch) -> Result<Self, InvalidResource> {
        use wire::request_match::{By, Value};
        Ok(Self {
            by: match message.by.ok_or(InvalidResource::Missing("matches.by"))? {
                By::Header(name) => MatchBy::Header(name),
                By::Cookie(name) => MatchBy::Cookie(name),
            },
            value: match message
                .value
                .ok_or(InvalidResource::Missing("matches.value"))?
            {
                Value::Exact(value) => MatchValue::Exact(value),
                Value::Pattern(pattern) => MatchValue::Pattern(pattern),
            },
            excludes: message.excludes,
        })
    }
}

impl From<&RequestMatch> for wire::RequestMatch {
    fn from(found: &RequestMatch) -> Self {
        use wire::request_match::{By, Value};
        Self {
            by: Some(match &found.by {
                MatchBy::Header(name) => By::Header(name.clone()),
                MatchBy::Cookie(name) => By::Cookie(name.clone()),
            }),
            value: Some(match &found.value {
                MatchValue::Exact(value) => Value::Exact(value.clone()),
                MatchValue::Pattern(pattern) => Value::Pattern(pattern.clone()),
            }),
            excludes: found.excludes,
        }
    }
}
