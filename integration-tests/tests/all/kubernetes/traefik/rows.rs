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
        group("router.middlewares", Compared, router::middlewares()),
        group("router.priority", Compared, router::priority()),
        group("router.pathmatcher", Compared, router::path_matcher()),
        group("spec.tls", Compared, tls::rows()),
        group("router.tls", Compared, tls::router()),
        group("router.tls.options", Compared, tls::options()),
        group("service.*: defaults", Compared, service::defaults()),
        group("service.serversscheme", Compared, service::scheme()),
        group("service.serverstransport", Compared, service::transport()),
        group("service.passhostheader", Compared, service::pass_host()),
        group("service.sticky.cookie", Compared, service::sticky()),
        group("service.nativelb", Later, service::native()),
        group("rateLimit", Compared, limits::rate()),
        group("inFlightReq", Compared, limits::in_flight()),
        group("ipAllowList", Compared, access::rows()),
        group("headers: custom", Compared, headers::custom()),
        group("headers: CORS", Compared, headers::cors()),
        group("headers: security", Compared, headers::security()),
        group("basicAuth", Compared, auth::rows()),
        group("forwardAuth", Compared, forward_auth::rows()),
        group("redirectScheme", Compared, redirects::scheme()),
        group("redirectRegex", Compared, redirects::regex()),
        group("stripPrefix and stripPrefixRegex", Compared, paths::strip()),
        group("addPrefix and replacePath", Compared, paths::replace()),
        group("compress", Compared, bodies::compress()),
        group("buffering", Compared, bodies::buffering()),
        group("retry", Compared, retries::rows()),
        group("chain", Compared, paths::chain()),
    ]
}
