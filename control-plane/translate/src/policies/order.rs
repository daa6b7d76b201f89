//! The one order in which what a Policy says is done, and what it costs that a part of it is broken.
//!
//! Why this order: ARCHITECTURE.md. A response takes the same way back, so the first here has the last word on it.

use crate::duty::Duty::{self, Improves, Protects};

/// By the name of the field; in the order in which they run. The last three say which
/// endpoint answers and how it is spoken to, whatever comes before.
pub(super) const FIELDS: &[(&str, Duty)] = &[
    ("responseHeaders", Protects),
    ("securityHeaders", Protects),
    ("compression", Improves),
    ("cors", Improves),
    ("addresses", Protects),
    ("redirect", Protects),
    ("clientCertificates", Protects),
    ("rateLimit", Protects),
    ("concurrencyLimit", Protects),
    ("requestBody", Protects),
    ("responseBody", Protects),
    ("basicAuth", Protects),
    ("forwardAuth", Protects),
    ("rewrite", Protects),
    ("requestHeaders", Protects),
    ("retry", Improves),
    ("timeouts", Improves),
    ("upstreamTls", Protects),
    ("sticky", Improves),
    ("canary", Improves),
];

/// Returns the place of a field in the order, and what it costs that it is broken. One that is not known may be meant to
/// protect.
pub(super) fn place(field: &str) -> (usize, Duty) {
    let known = FIELDS.iter().position(|(name, _)| *name == field);
    let known = known.and_then(|place| Some((place, FIELDS.get(place)?.1)));
    known.unwrap_or((FIELDS.len(), Protects))
}
