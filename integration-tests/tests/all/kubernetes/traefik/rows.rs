//! The rows of the table, one file a feature.

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
    pub(super) rows: Vec<Row>,
}

/// All rows, in the order in which they are asked.
pub(super) fn groups() -> Vec<Group> {
    let group = |name, rows| Group { name, rows };
    vec![
        group("hosts and paths", matching::rows()),
        group("broken backends", matching::broken()),
        group("who the client is", client::rows()),
        group("router.entrypoints", router::entry_points()),
        group("router.*: defaults", router::defaults()),
        group("router.middlewares", router::middlewares()),
        group("router.priority", router::priority()),
        group("router.pathmatcher", router::path_matcher()),
        group("spec.tls", tls::rows()),
        group("router.tls", tls::router()),
        group("router.tls.options", tls::options()),
        group("service.*: defaults", service::defaults()),
        group("service.serversscheme", service::scheme()),
        group("service.serverstransport", service::transport()),
        group("service.passhostheader", service::pass_host()),
        group("service.sticky.cookie", service::sticky()),
        group("service.nativelb", service::native()),
        group("rateLimit", limits::rate()),
        group("inFlightReq", limits::in_flight()),
        group("ipAllowList", access::rows()),
        group("headers: custom", headers::custom()),
        group("headers: CORS", headers::cors()),
        group("headers: security", headers::security()),
        group("basicAuth", auth::rows()),
        group("forwardAuth", forward_auth::rows()),
        group("redirectScheme", redirects::scheme()),
        group("redirectRegex", redirects::regex()),
        group("stripPrefix and stripPrefixRegex", paths::strip()),
        group("addPrefix and replacePath", paths::replace()),
        group("compress", bodies::compress()),
        group("buffering", bodies::buffering()),
        group("retry", retries::rows()),
        group("chain", paths::chain()),
    ]
}
