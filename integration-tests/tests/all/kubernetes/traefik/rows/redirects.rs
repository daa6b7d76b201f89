//! `redirect.yaml`.

use super::super::request::{Peer, Tls, ask, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn scheme() -> Vec<Row> {
    let https = |url| {
        get(url)
            .from(Peer::Proxy)
            .header("X-Forwarded-Proto", "https")
    };
    vec![
        row("GET", get("to-https.tls.test/path?x=1&y=/z")),
        row("HEAD", ask("HEAD", "to-https.tls.test/path")),
        row("POST", ask("POST", "to-https.tls.test/path").body(5)),
        row("permanent: GET", get("to-https-forever.tls.test/path")),
        row("permanent: POST", ask("POST", "to-https-forever.tls.test/path").body(5)),
        row("a port in Host", get("to-https.tls.test:8080/path")),
        row("port 8443", get("to-https-port.tls.test/path")),
        row("port 443", get("to-https-443.tls.test/path")),
        row("over TLS already", get("to-https.tls.test/path").over(Tls::Yes)),
        row("port 8443: over TLS already", get("to-https-port.tls.test/path").over(Tls::Yes)),
        row("X-Forwarded-Proto https of a proxy", https("to-https.tls.test/path")),
        row("X-Forwarded-Proto https of a stranger", get("to-https.tls.test/path").header("X-Forwarded-Proto", "https")),
        row("X-Forwarded-Proto http of a proxy", get("to-https.tls.test/path").from(Peer::Proxy).header("X-Forwarded-Proto", "http")),
        row("permanent: X-Forwarded-Proto https of a proxy", https("to-https-forever.tls.test/path")),
        row("X-Forwarded-Host of a proxy", get("to-https.tls.test/path").from(Peer::Proxy).header("X-Forwarded-Host", "public.test")),
        row("to http: plain", get("to-http.tls.test/path")),
        row("to http: over TLS", get("to-http.tls.test/path").over(Tls::Yes)),
        row("an encoded path", get("to-https.tls.test/a%20b/%2F?q=%20")),
    ]
}

#[rustfmt::skip]
pub(super) fn regex() -> Vec<Row> {
    vec![
        row("matches", get("regex.test/old/page?x=1")),
        row("does not match", get("regex.test/page")),
        row("POST", ask("POST", "regex.test/old/page").body(5)),
        row("permanent", get("regex-forever.test/page?x=1")),
        row("permanent: POST", ask("POST", "regex-forever.test/page").body(5)),
        row("a host without www", get("www.regex-www.test/page")),
        row("a named group", get("regex-named.test/users/17")),
        row("a named group: does not match", get("regex-named.test/users/x")),
        row("no regular expression", get("regex-broken.test/")).unserved().differs("broken-route-is-unavailable"),
    ]
}
