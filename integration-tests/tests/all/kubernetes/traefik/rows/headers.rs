//! `headers.yaml`.

use super::super::request::{Peer, Request, Tls, ask, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn custom() -> Vec<Row> {
    let url = "custom-headers.test/?header=x-backend:own&header=x-secret:own&header=x-kept:own";
    vec![
        row("added and deleted", get(url)),
        row("the client's own", get(url).header("X-Overwritten", "mine").header("X-Deleted", "mine").header("X-Kept", "mine")),
        row("on an error of the backend's", get("custom-headers.test/?status=500&header=x-secret:own")),
        row("before a refusal", get("headers-before-refusal.test/")),
    ]
}

pub(super) fn cors() -> Vec<Row> {
    [origins(), preflights()].concat()
}

#[rustfmt::skip]
fn origins() -> Vec<Row> {
    let origin = |url, origin| get(url).header("Origin", origin);
    vec![
        row("list: an origin of it", origin("cors-list.test/", "https://blog.test")),
        row("list: another origin", origin("cors-list.test/", "https://evil.test")).differs("cors-says-what-is-allowed"),
        row("list: no origin", get("cors-list.test/")).differs("cors-says-what-is-allowed"),
        row("list: an origin in capitals", origin("cors-list.test/", "HTTPS://BLOG.test")).differs("cors-says-what-is-allowed"),
        row("list: a backend with headers of its own", origin("cors-list.test/?header=access-control-allow-origin:*&header=vary:accept", "https://blog.test")),
        row("any: an origin", origin("cors-any.test/", "https://evil.test")),
        row("any: no origin", get("cors-any.test/")),
        row("credentials: the origin", origin("cors-credentials.test/", "https://shop.test")).differs("cors-says-what-is-allowed"),
        row("credentials: another origin", origin("cors-credentials.test/", "https://evil.test")).differs("cors-says-what-is-allowed"),
        row("any with credentials: an origin", origin("cors-any-credentials.test/", "https://evil.test")).differs("cors-says-what-is-allowed"),
        row("regex: matches", origin("cors-regex.test/", "https://my.shop.test")),
        row("regex: does not match", origin("cors-regex.test/", "https://shop.test")),
        row("regex: matches in part", origin("cors-regex.test/", "https://my.shop.test.evil.test")).differs("cors-says-what-is-allowed"),
    ]
}

#[rustfmt::skip]
fn preflights() -> Vec<Row> {
    vec![
        row("preflight: list", preflight("cors-list.test/", "https://blog.test", "PUT")).differs("cors-says-what-is-allowed"),
        row("preflight: list, another origin", preflight("cors-list.test/", "https://evil.test", "PUT")).differs("cors-says-what-is-allowed"),
        row("preflight: list, another method", preflight("cors-list.test/", "https://blog.test", "DELETE")).differs("cors-says-what-is-allowed"),
        row("preflight: list, with headers", preflight("cors-list.test/", "https://blog.test", "PUT").header("Access-Control-Request-Headers", "x-custom")).differs("cors-says-what-is-allowed"),
        row("preflight: any", preflight("cors-any.test/", "https://evil.test", "PUT").header("Access-Control-Request-Headers", "x-custom")),
        row("preflight: credentials", preflight("cors-credentials.test/", "https://shop.test", "GET")).differs("cors-says-what-is-allowed"),
        row("preflight: any with credentials", preflight("cors-any-credentials.test/", "https://evil.test", "PUT").header("Access-Control-Request-Headers", "x-custom")).differs("cors-says-what-is-allowed"),
        row("preflight: regex", preflight("cors-regex.test/", "https://my.shop.test", "GET")).differs("cors-says-what-is-allowed"),
        row("OPTIONS without an origin", ask("OPTIONS", "cors-list.test/").header("Access-Control-Request-Method", "PUT")).differs("cors-says-what-is-allowed"),
        row("OPTIONS without a method", ask("OPTIONS", "cors-list.test/").header("Origin", "https://blog.test")),
        row("preflight where there is no CORS", preflight("custom-headers.test/", "https://blog.test", "GET")),
    ]
}

fn preflight(url: &'static str, origin: &str, method: &str) -> Request {
    ask("OPTIONS", url)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
}

#[rustfmt::skip]
pub(super) fn security() -> Vec<Row> {
    let https = |url| {
        get(url)
            .from(Peer::Proxy)
            .header("X-Forwarded-Proto", "https")
    };
    vec![
        row("all that are sent", get("security.test/")),
        row("over the backend's own", get("security.test/?header=x-frame-options:SAMEORIGIN&header=referrer-policy:origin")),
        row("on an error of the backend's", get("security.test/?status=500")),
        row("values of one's own", get("security-custom.test/")),
        row("STS: plain", get("sts.tls.test/")),
        row("STS: TLS", get("sts.tls.test/").over(Tls::Yes)),
        row("STS: X-Forwarded-Proto of a proxy", https("sts.tls.test/")).differs("scheme-of-a-trusted-proxy"),
        row("forceSTSHeader: plain", get("sts-forced.tls.test/")),
        row("sslProxyHeaders: plain", get("sts-proxied.tls.test/")),
        row("sslProxyHeaders: X-Forwarded-Proto of a proxy", https("sts-proxied.tls.test/")),
        row("sslProxyHeaders: X-Forwarded-Proto of a stranger", get("sts-proxied.tls.test/").header("X-Forwarded-Proto", "https")),
        row("isDevelopment", get("development.test/")),
        row("what has no effect any more", get("without-effect.test/")),
        row("sslRedirect alone", get("only-ssl-redirect.test/")),
        row("featurePolicy alone", get("only-feature-policy.test/")),
        row("allowedHosts: allowed", get("allowed-hosts.test/")),
        row("allowedHosts: in capitals", get("ALLOWED-hosts.test/")),
        row("allowedHosts: with a port", get("allowed-hosts.test:80/")).differs("allowed-hosts-are-hosts"),
        row("allowedHosts: not allowed", get("not-allowed-hosts.test/")).differs("allowed-hosts-are-hosts"),
        row("hostsProxyHeaders: of a proxy", get("allowed-hosts-proxied.test/").from(Peer::Proxy).header("X-Forwarded-Host", "public.test")).differs("allowed-hosts-are-hosts"),
        row("hostsProxyHeaders: of a stranger", get("allowed-hosts-proxied.test/").header("X-Forwarded-Host", "public.test")).differs("allowed-hosts-are-hosts"),
    ]
}
