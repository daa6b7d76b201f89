//! The kinds of Middleware that Sluice knows, and what it costs that one of them is broken.
//!
//! It does not follow a reference to a Secret or another Middleware (`attach.rs`). A kind that is not in the table is not
//! supported, and counts as one that protects.

mod access;
mod auth;
mod body;
mod chain;
mod headers;
mod limit;
mod path;
mod redirect;
mod source;

use crate::duty::Duty::{self, Improves, Protects};
use crate::traefik::kept::{Meaning, Spec, Wrong};

pub(crate) use crate::traefik::kinds::chain::Link;

/// Reads what a Middleware says under its kind.
pub(super) type Parse = fn(&mut Spec<'_>) -> Result<Meaning, Wrong>;

/// By name. `docs/traefik-middlewares.md` has the same table for users.
pub(super) const KINDS: &[(&str, Duty, Parse)] = &[
    ("addPrefix", Protects, path::add_prefix),
    ("basicAuth", Protects, auth::basic_auth),
    ("buffering", Protects, body::buffering),
    ("chain", Protects, chain::chain),
    ("compress", Improves, body::compress),
    ("forwardAuth", Protects, auth::forward_auth),
    ("headers", Protects, headers::headers),
    ("inFlightReq", Protects, limit::in_flight_req),
    ("ipAllowList", Protects, access::ip_allow_list),
    ("ipWhiteList", Protects, access::ip_allow_list),
    ("rateLimit", Protects, limit::rate_limit),
    ("redirectRegex", Protects, redirect::redirect_regex),
    ("redirectScheme", Protects, redirect::redirect_scheme),
    ("replacePath", Protects, path::replace_path),
    ("replacePathRegex", Protects, path::replace_path_regex),
    ("retry", Improves, body::retry),
    ("stripPrefix", Protects, path::strip_prefix),
    ("stripPrefixRegex", Protects, path::strip_prefix_regex),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_once() {
        assert!(KINDS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
