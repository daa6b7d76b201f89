//! `router.yaml`: the annotations `router.*`, but for TLS.

use super::super::request::{Tls, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn entry_points() -> Vec<Row> {
    vec![
        row("web: plain", get("entrypoints-web.tls.test/")),
        row("web: TLS", get("entrypoints-web.tls.test/").over(Tls::Yes)).unserved().differs("every-listener-serves-every-host"),
        row("websecure: plain", get("entrypoints-websecure.tls.test/")).unserved().differs("every-listener-serves-every-host"),
        row("websecure: TLS", get("entrypoints-websecure.tls.test/").over(Tls::Yes)),
        row("both: plain", get("entrypoints-both.tls.test/")),
        row("both: TLS", get("entrypoints-both.tls.test/").over(Tls::Yes)),
        row("another: plain", get("entrypoints-internal.tls.test/")).unserved().differs("other-entry-points-are-unavailable"),
        row("another: TLS", get("entrypoints-internal.tls.test/").over(Tls::Yes)).unserved().differs("other-entry-points-are-unavailable"),
    ]
}

#[rustfmt::skip]
pub(super) fn middlewares() -> Vec<Row> {
    vec![
        row("one", get("middlewares-one.test/x")),
        row("a, then b", get("middlewares-ab.test/x")),
        row("b, then a", get("middlewares-ba.test/x")),
        row("with a space after the comma", get("middlewares-spaced.test/x")),
        row("of another namespace", get("middlewares-elsewhere.test/x")),
        row("unknown", get("middlewares-unknown.test/x")).unserved().differs("broken-route-is-unavailable"),
        row("one of two unknown", get("middlewares-half-known.test/x")).unserved().differs("broken-route-is-unavailable"),
        row("of a file", get("middlewares-file.test/x")).unserved().differs("broken-route-is-unavailable"),
        row("that asks for nothing", get("middlewares-empty.test/x")).unserved().differs("broken-route-is-unavailable"),
        row("of a kind that nobody knows", get("middlewares-unknown-kind.test/x")).unserved().differs("broken-route-is-unavailable"),
    ]
}

#[rustfmt::skip]
pub(super) fn priority() -> Vec<Row> {
    vec![
        row("high: its own path", get("priority.test/")),
        row("high: the longer path of another Ingress", get("priority.test/long/path/of/the/other")),
        row("low: its own longer path", get("priority-low.test/long/path")),
        row("of two with the same path", get("priority-same.test/same")),
        row("a little higher than the length of a rule", get("priority-close.test/longer")),
        row("a little lower than the length of a rule", get("priority-close.test/longer/x")),
    ]
}

#[rustfmt::skip]
pub(super) fn path_matcher() -> Vec<Row> {
    vec![
        row("Path: the path", get("pathmatcher-path.test/only")),
        row("Path: below", get("pathmatcher-path.test/only/x")).unserved(),
        row("Path: with a slash", get("pathmatcher-path.test/only/")).unserved(),
        row("PathRegexp: matches", get("pathmatcher-regexp.test/item/17")).differs("patterns-are-unavailable"),
        row("PathRegexp: matches in part, at the end", get("pathmatcher-regexp.test/item/17/more")).differs("patterns-are-unavailable"),
        row("PathRegexp: matches in part, at the beginning", get("pathmatcher-regexp.test/an/item/17")).differs("patterns-are-unavailable"),
        row("PathRegexp: does not match", get("pathmatcher-regexp.test/item/x")).differs("patterns-are-unavailable").unserved(),
        row("Path with the type Prefix: below", get("pathmatcher-typed.test/typed/x")),
    ]
}

/// What says what is so anyway.
#[rustfmt::skip]
pub(super) fn defaults() -> Vec<Row> {
    vec![
        row("observability", get("observability.test/")),
        row("pathmatcher PathPrefix: the path", get("pathmatcher-prefix.test/start")),
        row("pathmatcher PathPrefix: below", get("pathmatcher-prefix.test/start/x")),
        row("low priority: the rest", get("priority-low.test/x")),
    ]
}
