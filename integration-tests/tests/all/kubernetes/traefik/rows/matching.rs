//! `matching.yaml`: which rule a request belongs to.

use super::super::request::{ask, get};
use super::super::row::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    [prefixes(), exacts(), hosts(), requests()].concat()
}

#[rustfmt::skip]
fn prefixes() -> Vec<Row> {
    vec![
        row("Prefix: the path itself", get("prefix.test/foo")),
        row("Prefix: with a slash", get("prefix.test/foo/")),
        row("Prefix: below", get("prefix.test/foo/bar")),
        row("Prefix: with a query", get("prefix.test/foo?a=1&b=/foo")),
        row("Prefix: within an element", get("prefix.test/foobar")).differs("prefix-by-elements"),
        row("Prefix: above", get("prefix.test/")).unserved(),
        row("Prefix: another path", get("prefix.test/bar/foo")).unserved(),
        row("Prefix: other case", get("prefix.test/FOO")).unserved(),
        row("Prefix: two slashes first", get("prefix.test//foo")),
        row("Prefix: two slashes within", get("prefix.test/foo//bar")),
        row("Prefix: dots that lead out and in", get("prefix.test/foo/../foo/bar")),
        row("Prefix: dots that lead in", get("prefix.test/bar/../foo")),
        row("Prefix: dots that lead out", get("prefix.test/foo/../bar")).unserved(),
        row("Prefix: an encoded letter", get("prefix.test/f%6fo")),
        row("Prefix: an encoded slash", get("prefix.test/foo%2Fbar")).differs("encoded-slashes-stay"),
        row("Prefix: encoded dots", get("prefix.test/foo/%2e%2e/bar")).unserved(),
        row("Prefix that ends in a slash: below", get("slash.test/with/more")),
        row("Prefix that ends in a slash: with it", get("slash.test/with/")),
        row("Prefix that ends in a slash: without it", get("slash.test/with")).unserved().differs("prefix-by-elements"),
        row("ImplementationSpecific: the path itself", get("specific.test/impl")),
        row("ImplementationSpecific: below", get("specific.test/impl/x")),
        row("ImplementationSpecific: within an element", get("specific.test/implement")).differs("prefix-by-elements"),
        row("longest: the shortest", get("longest.test/x")),
        row("longest: the longer", get("longest.test/long/x")),
        row("longest: the longest", get("longest.test/long/er/x")),
    ]
}

#[rustfmt::skip]
fn exacts() -> Vec<Row> {
    vec![
        row("Exact: the path", get("exact.test/exact")),
        row("Exact: with a query", get("exact.test/exact?x=y")),
        row("Exact: with a slash", get("exact.test/exact/")).unserved(),
        row("Exact: below", get("exact.test/exact/more")).unserved(),
        row("Exact: shorter", get("exact.test/exac")).unserved(),
        row("Exact beside Prefix: the path", get("exact-and-prefix.test/both")).differs("exact-before-prefix"),
        row("Exact beside Prefix: below", get("exact-and-prefix.test/both/x")),
    ]
}

#[rustfmt::skip]
fn hosts() -> Vec<Row> {
    vec![
        row("host: in capitals", get("PREFIX.test/foo")),
        row("host: with a port", get("prefix.test:80/foo")),
        row("host: with a dot at its end", get("prefix.test./foo")),
        row("host: unknown", get("nobody.test/")).unserved(),
        row("wildcard: one label", get("a.wild.test/")),
        row("wildcard: two labels", get("a.b.wild.test/")).unserved(),
        row("wildcard: no label", get("wild.test/")).unserved(),
        row("wildcard: a longer path of it", get("a.wild.test/a/rather/long/path/below/the/wildcard")),
        row("exact host beside the wildcard", get("one.wild.test/")),
        row("exact host beside a longer path of the wildcard", get("one.wild.test/a/rather/long/path/below/the/wildcard")),
        row("any host: a host that has no rule", get("nobody.test/wherever/it/is/asked/for/this/is/long")),
        row("any host: a host whose rules are shorter", get("longest.test/wherever/it/is/asked/for/this/is/long")).differs("host-before-path"),
    ]
}

#[rustfmt::skip]
fn requests() -> Vec<Row> {
    vec![
        row("HEAD", ask("HEAD", "longest.test/")),
        row("POST with a body", ask("POST", "longest.test/").body(5000)),
        row("PUT", ask("PUT", "longest.test/").body(1)),
        row("DELETE", ask("DELETE", "longest.test/")),
        row("PATCH", ask("PATCH", "longest.test/").body(3)),
        row("OPTIONS", ask("OPTIONS", "longest.test/")),
        row("a method of one's own", ask("BREW", "longest.test/")),
        row("a status of the backend's", get("longest.test/?status=418")),
        row("an error of the backend's", get("longest.test/?status=503")),
        row("headers of the backend's", get("longest.test/?header=x-own:1&header=x-own:2&header=server:mine")),
        row("headers both ways", get("longest.test/").header("Accept", "a/b").header("X-Two", "1").header("X-Two", "2").header("Cookie", "a=b")),
        row("a user agent", get("longest.test/").header("User-Agent", "someone/1")),
        row("Accept-Encoding", get("longest.test/").header("Accept-Encoding", "gzip, br")),
        row("TE, Trailer and Keep-Alive", get("longest.test/").header("TE", "trailers").header("Keep-Alive", "timeout=5")),
        row("Proxy-Authorization", get("longest.test/").header("Proxy-Authorization", "Basic eDp5")),
        row("Expect: 100-continue", ask("POST", "longest.test/").header("Expect", "100-continue").body(10)).differs("expect-is-answered"),
        row("Max-Forwards and Via", get("longest.test/").header("Max-Forwards", "3").header("Via", "1.1 someone")),
        row("a query that is only a question mark", get("longest.test/?")),
        row("a query with semicolons", get("longest.test/?a=1;b=2")).differs("queries-as-sent"),
        row("a query that is not encoded well", get("longest.test/?a=%zz&b=%")),
    ]
}

#[rustfmt::skip]
pub(super) fn broken() -> Vec<Row> {
    vec![
        row("the Service is missing", get("missing-service.test/")).unserved().differs("broken-route-is-unavailable"),
        row("the port is missing", get("missing-port.test/")).unserved().differs("broken-route-is-unavailable"),
        row("no endpoints", get("no-endpoints.test/")).unserved().differs("broken-route-is-unavailable"),
        row("all endpoints refuse", get("no-retry-refused.test/")),
        row("beside a broken path", get("falls-through.test/")),
        row("the broken path", get("falls-through.test/broken")).differs("broken-route-is-unavailable"),
    ]
}
