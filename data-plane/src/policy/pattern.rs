//! Regular expressions that users write: compiled once, in linear time, with a bound on their size.

use regex::{Regex, RegexBuilder};
use sluice_proto::MOST_PATTERN_BYTES;

use crate::policy::InvalidPolicy;

/// Compiles a regular expression, which is found anywhere in a text.
pub(super) fn compile(pattern: &str) -> Result<Regex, InvalidPolicy> {
    RegexBuilder::new(pattern)
        .size_limit(MOST_PATTERN_BYTES)
        .build()
        .map_err(|source| InvalidPolicy::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })
}
