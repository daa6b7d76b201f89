//! The rows of the table, one file a feature. What of Sluice is compared is said here, group by group: a group that Sluice
//! does not serve yet is asked of both and printed, and judged as soon as its line says `Compared`.

mod access;
mod auth;
mod bodies;
mod client;
mod forward_auth;
mod headers;
mod limits;
mod matching;
mod paths;
mod redirects;
mod retries;
mod router;
mod service;
mod tls;

use super::row::Row;

/// Rows about one thing.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) sluice: Sluice,
    pub(super) rows: Vec<Row>,
}

/// Whether Sluice's answers count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sluice {
    Compared,
    /// Sluice does not serve this yet.
    Later,
}

/// All rows, in the order in which they are asked.
pub(super) fn groups() -> Vec<Group> {
    use Sluice::{Compared, Later};
    let group = |name, sluice, rows| Group { name, sluice, rows };
    vec![
        group("hosts and paths", Compared, matching::rows()),
        group("broken backends", Compared, matching::broken()),
        group("who the client is", Compared, client::rows()),
        group("router.entrypoints", Compared, router::entry_points()),
        group("router.*: defaults", Compared, router::defaults()),
        group("router.middlewares", Later, router::middlewares()),
        group("router.priority", Later, router::priority()),
        group("router.pathmatcher", Later, router::path_matcher()),
        group("spec.tls", Compared, tls::rows()),
        group("router.tls", Later, tls::router()),
        group("router.tls.options", Later, tls::options()),
        group("service.*: defaults", Compared, service::defaults()),
        group("service.serversscheme", Later, service::scheme()),
        group("service.serverstransport", Later, service::transport()),
        group("service.passhostheader", Later, service::pass_host()),
        group("service.sticky.cookie", Later, service::sticky()),
        group("service.nativelb", Later, service::native()),
        group("rateLimit", Later, limits::rate()),
        group("inFlightReq", Later, limits::in_flight()),
        group("ipAllowList", Later, access::rows()),
        group("headers: custom", Later, headers::custom()),
        group("headers: CORS", Later, headers::cors()),
        group("headers: security", Later, headers::security()),
        group("basicAuth", Later, auth::rows()),
        group("forwardAuth", Later, forward_auth::rows()),
        group("redirectScheme", Later, redirects::scheme()),
        group("redirectRegex", Later, redirects::regex()),
        group("stripPrefix and stripPrefixRegex", Later, paths::strip()),
        group("addPrefix and replacePath", Later, paths::replace()),
        group("compress", Later, bodies::compress()),
        group("buffering", Later, bodies::buffering()),
        group("retry", Later, retries::rows()),
        group("chain", Later, paths::chain()),
    ]
}
