//! What Traefik's annotations say, as far as it has an effect: which Middlewares an Ingress or a Service names, and a few
//! words about paths and endpoints.
//!
//! It does not find the Middlewares (`attach.rs`).

use std::collections::BTreeMap;

/// A name in a list of Middlewares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Named<'a> {
    /// The id of a Middleware of Kubernetes.
    Id(&'a str),
    /// A name that Kubernetes knows nothing of.
    Foreign(&'a str),
}

/// What endpoints of a Service speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// HTTP/1.1 in clear.
    Http,
    /// HTTP/2 in clear, without being asked.
    H2c,
}

/// Annotations of an object.
pub(crate) type Annotations = BTreeMap<String, String>;

/// Returns the lists of Middlewares that an Ingress or a Service names, each with the annotation that has it.
pub(super) fn lists<'a>(
    annotations: Option<&'a Annotations>,
    kind: &str,
) -> impl Iterator<Item = (&'a String, impl Iterator<Item = Named<'a>>)> {
    let wanted = if kind == "Service" {
        SERVICE_MIDDLEWARES
    } else {
        ROUTER_MIDDLEWARES
    };
    // Traefik does not tell upper from lower case in keys. If there are two, both count: that protects no less.
    let lists = find_all(annotations, wanted);
    lists.map(|(key, list)| (key, list.split(',').filter_map(named)))
}

/// Returns the ids of the Middlewares that an Ingress or a Service names.
pub(crate) fn ids<'a>(
    annotations: Option<&'a Annotations>,
    kind: &str,
) -> impl Iterator<Item = &'a str> {
    lists(annotations, kind)
        .flat_map(|(_, list)| list)
        .filter_map(|named| match named {
            Named::Id(id) => Some(id),
            Named::Foreign(_) => None,
        })
}

/// Returns whether this annotation names Middlewares where it stands.
pub(crate) fn names(key: &str, kind: &str) -> bool {
    let wanted = if kind == "Service" {
        SERVICE_MIDDLEWARES
    } else {
        ROUTER_MIDDLEWARES
    };
    key.eq_ignore_ascii_case(wanted)
}

/// Returns whether the paths of an Ingress that are of no particular type are exact.
pub(crate) fn exact_paths(annotations: Option<&Annotations>) -> bool {
    find_all(annotations, PATH_MATCHER).any(|(_, value)| value.trim().eq_ignore_ascii_case("Path"))
}

/// Returns what the endpoints of a Service speak, if the annotation says so.
pub(crate) fn scheme(annotations: Option<&Annotations>) -> Option<Scheme> {
    find_all(annotations, SERVERS_SCHEME).find_map(|(_, value)| match value.trim() {
        "http" => Some(Scheme::Http),
        "h2c" => Some(Scheme::H2c),
        _ => None,
    })
}

/// Returns what a name in a list stands for; `None` for nothing.
pub(super) fn named(written: &str) -> Option<Named<'_>> {
    let written = written.trim();
    match written.strip_suffix("@kubernetescrd") {
        _ if written.is_empty() => None,
        Some(id) => Some(Named::Id(id)),
        None => Some(Named::Foreign(written)),
    }
}

fn find_all<'a>(
    annotations: Option<&'a Annotations>,
    wanted: &str,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    let all = annotations.into_iter().flatten();
    all.filter(move |(key, _)| key.eq_ignore_ascii_case(wanted))
}

const ROUTER_MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const SERVICE_MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/service.middlewares";
const PATH_MATCHER: &str = "traefik.ingress.kubernetes.io/router.pathmatcher";
const SERVERS_SCHEME: &str = "traefik.ingress.kubernetes.io/service.serversscheme";
