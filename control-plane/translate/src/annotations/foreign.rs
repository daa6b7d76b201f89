//! The annotations of ingress-nginx and Traefik: what is lost without each, and why that matters or does not.
//!
//! It does not list them (`tables.rs`). What is not listed is judged by its name: one that speaks of protection counts as
//! such.

mod tables;

use crate::traefik;

use crate::annotations::foreign::tables::{
    NGINX_SWITCHES, NGINX_TABLE, SPEAKING, STICKY, TLS_ELSEWHERE, TRAEFIK_TABLE,
};

/// What is lost when an annotation has no effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loss {
    /// Nothing that anybody is protected by.
    Harmless,
    /// Something that keeps requests out, confines them or slows attackers: 503 instead.
    Protects,
    /// What makes the Ingress a variant of another one: it must not take that one's place, and protects like the above.
    Yields,
}

/// Returns whether the annotation of this key is read.
pub(super) fn is_read(key: &str) -> bool {
    key.starts_with(NGINX) || key.starts_with(TRAEFIK)
}

/// Returns what is lost without this annotation of an object of this kind, and why; `None` if Sluice does what it asks for,
/// or it is not one of those that are read.
pub(super) fn loss(key: &str, value: &str, kind: &str) -> Option<(Loss, &'static str)> {
    if traefik::names(key, kind) {
        return None;
    }
    let value = value.trim();
    if let Some(name) = key.strip_prefix(NGINX) {
        let is_off = matches!(value, "false" | "off" | "");
        return if is_off && NGINX_SWITCHES.contains(&name) {
            None
        } else {
            Some(find(NGINX_TABLE, name))
        };
    }
    let name = key.strip_prefix(TRAEFIK)?.to_ascii_lowercase();
    match name.as_str() {
        "router.entrypoints" => Some(entry_points(value)),
        "router.pathmatcher"
            if PATH_MATCHERS
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known)) =>
        {
            None
        }
        "router.priority" if kind == "Ingress" && traefik::is_priority(value) => None,
        "service.serversscheme" if matches!(value, "http" | "h2c" | "https") => None,
        "service.nativelb" if kind == "Service" && traefik::switch(value).is_some() => None,
        "service.passhostheader" if kind == "Service" && traefik::switch(value).is_some() => None,
        "service.serverstransport" if kind == "Service" => None,
        "router.tls.options" if kind == "Ingress" => None,
        name if name.starts_with("router.tls.domains.") => Some((Loss::Harmless, TLS_ELSEWHERE)),
        name if kind == "Service" && traefik::is_sticky(name) => None,
        name if name.starts_with("service.sticky.") => Some((Loss::Harmless, STICKY)),
        name => Some(find_of_traefik(name)),
    }
}

/// Traefik takes an Ingress with an annotation that it cannot read for none. What it was meant for nobody knows: a letter may
/// be all that it lacks.
fn find_of_traefik(name: &str) -> (Loss, &'static str) {
    let is_unknown = TRAEFIK_TABLE.iter().all(|(known, _, _)| *known != name);
    if is_unknown && (name.starts_with("router.") || name.starts_with("service.")) {
        return (
            Loss::Protects,
            "not known, to Traefik neither: it may be meant to protect",
        );
    }
    find(TRAEFIK_TABLE, name)
}

fn find(table: &[(&str, Loss, &'static str)], name: &str) -> (Loss, &'static str) {
    match table.iter().find(|(known, _, _)| *known == name) {
        Some((_, loss, reason)) => (*loss, reason),
        None if SPEAKING.iter().any(|word| name.contains(word)) => {
            (Loss::Protects, "not known; its name speaks of protection")
        }
        None => (Loss::Harmless, "not known"),
    }
}

/// `web` and `websecure` are the two listeners that Sluice has, too. Others may be open to fewer people.
fn entry_points(value: &str) -> (Loss, &'static str) {
    if value
        .split(',')
        .all(|name| matches!(name.trim(), "web" | "websecure" | ""))
    {
        (Loss::Harmless, "every listener serves it")
    } else {
        (
            Loss::Protects,
            "an entry point of its own may be open to fewer people",
        )
    }
}

const PATH_MATCHERS: [&str; 2] = ["Path", "PathPrefix"];
const NGINX: &str = "nginx.ingress.kubernetes.io/";
const TRAEFIK: &str = "traefik.ingress.kubernetes.io/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_name_each_once() {
        for table in [NGINX_TABLE, TRAEFIK_TABLE] {
            assert!(table.is_sorted_by(|a, b| a.0 < b.0));
        }
        assert!(NGINX_SWITCHES.is_sorted());
    }

    #[test]
    fn what_protects_is_told_from_what_does_not() {
        for (key, value, expected) in CASES {
            let kind = if key.contains("/service.") {
                "Service"
            } else {
                "Ingress"
            };
            let found = loss(key, value, kind).map(|(loss, _)| loss);
            assert_eq!(found, *expected, "{key}: {value}");
        }
    }

    #[test]
    fn a_list_of_middlewares_that_nobody_reads_where_it_stands_protects() {
        for (key, kind) in [
            (
                "traefik.ingress.kubernetes.io/router.middlewares",
                "Service",
            ),
            (
                "traefik.ingress.kubernetes.io/service.middlewares",
                "Ingress",
            ),
        ] {
            let found = loss(key, "a-b@kubernetescrd", kind).map(|(loss, _)| loss);
            assert_eq!(found, PROTECTS, "{key} on an object of the kind {kind}");
        }
    }

    const HARMLESS: Option<Loss> = Some(Loss::Harmless);
    const PROTECTS: Option<Loss> = Some(Loss::Protects);
    const YIELDS: Option<Loss> = Some(Loss::Yields);

    const CASES: &[(&str, &str, Option<Loss>)] = &[
        ("nginx.ingress.kubernetes.io/auth-url", "http://a", PROTECTS),
        ("nginx.ingress.kubernetes.io/auth-new", "x", PROTECTS),
        ("nginx.ingress.kubernetes.io/colour", "red", HARMLESS),
        ("nginx.ingress.kubernetes.io/ssl-redirect", "true", HARMLESS),
        ("nginx.ingress.kubernetes.io/ssl-redirect", "false", None),
        ("nginx.ingress.kubernetes.io/canary", "true", YIELDS),
        ("nginx.ingress.kubernetes.io/canary", "false", None),
        (
            "traefik.ingress.kubernetes.io/Router.Middlewares",
            "a@file",
            None,
        ),
        (
            "traefik.ingress.kubernetes.io/service.middlewares",
            "a@file",
            None,
        ),
        (
            "traefik.ingress.kubernetes.io/service.serversscheme",
            "h2c",
            None,
        ),
        (
            "traefik.ingress.kubernetes.io/service.serversscheme",
            "gopher",
            HARMLESS,
        ),
        (
            "traefik.ingress.kubernetes.io/router.entrypoints",
            "web, websecure",
            HARMLESS,
        ),
        (
            "traefik.ingress.kubernetes.io/router.entrypoints",
            "internal",
            PROTECTS,
        ),
        (
            "traefik.ingress.kubernetes.io/router.pathmatcher",
            "PathPrefix",
            None,
        ),
        (
            "traefik.ingress.kubernetes.io/router.pathmatcher",
            "Path",
            None,
        ),
        (
            "traefik.ingress.kubernetes.io/router.pathmatcher",
            "PathRegexp",
            PROTECTS,
        ),
        ("example.com/auth", "x", None),
    ];
}
