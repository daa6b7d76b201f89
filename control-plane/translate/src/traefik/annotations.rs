//! What Traefik's annotations say, as far as it has an effect: which Middlewares an Ingress or a Service names, and a few
//! words about paths and endpoints.
//!
//! It does not find the Middlewares (`attach.rs`).

use std::collections::BTreeMap;

use crate::traefik::named::{Id, Kind};

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
    /// HTTP/1.1 over TLS.
    Https,
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

/// Returns the ids of the objects that an Ingress or a Service names.
pub(crate) fn ids(annotations: Option<&Annotations>, kind: &str) -> impl Iterator<Item = Id> {
    let id = |kind: Kind| {
        move |named: Named<'_>| match named {
            Named::Id(id) => Some(kind.written(id)),
            Named::Foreign(_) => None,
        }
    };
    let middlewares = lists(annotations, kind).flat_map(|(_, list)| list);
    let transports = (kind == "Service").then(|| transports(annotations));
    let options = (kind == "Ingress").then(|| tls_options(annotations));
    let transports = transports.into_iter().flatten().map(|(_, named)| named);
    let options = options.into_iter().flatten().map(|(_, named)| named);
    middlewares
        .filter_map(id(Kind::Middleware))
        .chain(transports.filter_map(id(Kind::ServersTransport)))
        .chain(options.filter_map(id(Kind::TlsOption)))
}

/// Returns the ServersTransports that a Service names, each with the annotation that has it.
pub(super) fn transports(
    annotations: Option<&Annotations>,
) -> impl Iterator<Item = (&str, Named<'_>)> {
    singles(annotations, SERVERS_TRANSPORT)
}

/// Returns the TLSOptions that an Ingress names, each with the annotation that has it.
pub(super) fn tls_options(
    annotations: Option<&Annotations>,
) -> impl Iterator<Item = (&str, Named<'_>)> {
    singles(annotations, TLS_OPTIONS)
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

/// Returns the priority that the routes of an Ingress are to have, as it is written.
pub(super) fn written_priority(annotations: Option<&Annotations>) -> Option<&str> {
    let mut all = find_all(annotations, PRIORITY);
    all.next().map(|(_, value)| value.as_str())
}

/// Returns what the endpoints of a Service speak, if the annotation says so.
pub(crate) fn scheme(annotations: Option<&Annotations>) -> Option<Scheme> {
    find_all(annotations, SERVERS_SCHEME).find_map(|(_, value)| match value.trim() {
        "http" => Some(Scheme::Http),
        "h2c" => Some(Scheme::H2c),
        "https" => Some(Scheme::Https),
        _ => None,
    })
}

/// Returns whether the endpoints of a Service get the host that the client has asked for.
pub(crate) fn passes_host(annotations: Option<&Annotations>) -> bool {
    let mut all = find_all(annotations, PASS_HOST_HEADER);
    all.find_map(|(_, value)| switch(value.trim()))
        .unwrap_or(true)
}

/// Returns the annotation by which a Service is spoken to at its own address, instead of at those of its endpoints.
pub(crate) fn native(annotations: Option<&Annotations>) -> Option<&str> {
    let mut all = find_all(annotations, NATIVE_LB);
    let (key, is_on) = all.find_map(|(key, value)| Some((key, switch(value.trim())?)))?;
    is_on.then_some(key)
}

/// What Go takes for a truth value (`strconv.ParseBool`).
pub(crate) fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
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

fn singles<'a>(
    annotations: Option<&'a Annotations>,
    wanted: &'static str,
) -> impl Iterator<Item = (&'a str, Named<'a>)> {
    let all = find_all(annotations, wanted);
    all.filter_map(|(key, value)| Some((key.as_str(), named(value)?)))
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
const PRIORITY: &str = "traefik.ingress.kubernetes.io/router.priority";
const PATH_MATCHER: &str = "traefik.ingress.kubernetes.io/router.pathmatcher";
const TLS_OPTIONS: &str = "traefik.ingress.kubernetes.io/router.tls.options";
const PASS_HOST_HEADER: &str = "traefik.ingress.kubernetes.io/service.passhostheader";
const NATIVE_LB: &str = "traefik.ingress.kubernetes.io/service.nativelb";
const SERVERS_TRANSPORT: &str = "traefik.ingress.kubernetes.io/service.serverstransport";
const SERVERS_SCHEME: &str = "traefik.ingress.kubernetes.io/service.serversscheme";
