//! `paths.yaml` and `chain.yaml`.

use super::super::request::{Peer, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn strip() -> Vec<Row> {
    vec![
        row("stripPrefix: below", get("strip.test/api/users?x=1")),
        row("stripPrefix: itself", get("strip.test/api")),
        row("stripPrefix: with a slash", get("strip.test/api/")),
        row("stripPrefix: within an element", get("strip.test/apis/users")),
        row("stripPrefix: the second", get("strip.test/v1/api/users")),
        row("stripPrefix: none", get("strip.test/users")),
        row("stripPrefix: twice in the path", get("strip.test/api/api/users")),
        row("stripPrefix: an encoded path", get("strip.test/api/a%20b%2Fc")),
        row("stripPrefix: two slashes", get("strip.test/api//users")),
        row("stripPrefix: the client's X-Forwarded-Prefix", get("strip.test/api/users").header("X-Forwarded-Prefix", "/evil")),
        row("stripPrefix: a proxy's X-Forwarded-Prefix", get("strip.test/api/users").from(Peer::Proxy).header("X-Forwarded-Prefix", "/outer")).differs("path-headers-are-replaced"),
        row("stripPrefixRegex: matches", get("strip-regex.test/shop/17/items")),
        row("stripPrefixRegex: itself", get("strip-regex.test/shop/17")),
        row("stripPrefixRegex: not at the beginning", get("strip-regex.test/UP/shop/17/items")),
        row("stripPrefixRegex: none", get("strip-regex.test/shop/items")),
        row("stripPrefix, then addPrefix", get("strip-then-add.test/api/users")),
    ]
}

#[rustfmt::skip]
pub(super) fn replace() -> Vec<Row> {
    vec![
        row("addPrefix", get("add.test/users?x=1")),
        row("addPrefix: the root", get("add.test/")),
        row("addPrefix: an encoded path", get("add.test/a%20b%2Fc")),
        row("replacePath", get("replace.test/users?x=1")),
        row("replacePath: an encoded path", get("replace.test/a%20b")),
        row("replacePath: the client's X-Replaced-Path", get("replace.test/users").header("X-Replaced-Path", "/evil")).differs("path-headers-are-replaced"),
        row("replacePath with a query", get("replace-query.test/users?y=2")).differs("paths-have-no-query"),
        row("replacePathRegex: matches", get("replace-regex.test/old/users?x=1")),
        row("replacePathRegex: does not match", get("replace-regex.test/users")),
        row("replacePathRegex: an encoded path", get("replace-regex.test/old/a%20b")),
        row("replacePathRegex: no regular expression", get("replace-regex-broken.test/")).unserved().differs("broken-route-is-unavailable"),
    ]
}

#[rustfmt::skip]
pub(super) fn chain() -> Vec<Row> {
    vec![
        row("a, then b", get("chain-ab.test/x")),
        row("of a chain and a", get("chain-nested.test/x")),
        row("one of two unknown", get("chain-broken.test/x")).unserved().differs("broken-route-is-unavailable"),
        row("of nothing", get("chain-empty.test/x")),
        row("with basicAuth: nobody", get("chain-guarded.test/x")),
        row("with basicAuth: right", get("chain-guarded.test/x").header("Authorization", "Basic Y2Fyb2w6c2luZ2Vy")),
    ]
}
