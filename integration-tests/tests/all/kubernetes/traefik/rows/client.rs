//! `client.yaml`: who the client is, and what strangers may pretend.

use super::super::request::{Peer, ask, get};
use super::super::row::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    [strangers(), proxies()].concat()
}

#[rustfmt::skip]
fn strangers() -> Vec<Row> {
    let url = "client.test/";
    vec![
        row("stranger: nothing", get(url)),
        row("stranger: X-Forwarded-For", get(url).header("X-Forwarded-For", "203.0.113.7")),
        row("stranger: X-Forwarded-For, twice", get(url).header("X-Forwarded-For", "203.0.113.7").header("X-Forwarded-For", "203.0.113.8")),
        row("stranger: X-Real-IP", get(url).header("X-Real-IP", "203.0.113.7")),
        row("stranger: X-Forwarded-Proto", get(url).header("X-Forwarded-Proto", "https")),
        row("stranger: X-Forwarded-Host and -Port", get(url).header("X-Forwarded-Host", "evil.test").header("X-Forwarded-Port", "444")),
        row("stranger: X-Forwarded-Prefix, -Uri and -Method", get(url).header("X-Forwarded-Prefix", "/x").header("X-Forwarded-Uri", "/y").header("X-Forwarded-Method", "PUT")),
        row("stranger: X-Forwarded-Tls-Client-Cert", get(url).header("X-Forwarded-Tls-Client-Cert", "abc")),
        row("stranger: X-Scheme", get(url).header("X-Scheme", "https")),
        row("stranger: CF-Connecting-IP", get(url).header("CF-Connecting-IP", "203.0.113.7")).differs("one-client-identity"),
        row("stranger: True-Client-IP", get(url).header("True-Client-IP", "203.0.113.7")).differs("one-client-identity"),
        row("stranger: Forwarded", get(url).header("Forwarded", "for=203.0.113.7;proto=https")).differs("one-client-identity"),
        row("stranger: X_Forwarded_For", get(url).header("X_Forwarded_For", "203.0.113.7")),
        row("stranger: X_Real_IP", get(url).header("X_Real_IP", "203.0.113.7")),
        row("stranger: Connection: X-Forwarded-For", get(url).header("Connection", "X-Forwarded-For").header("X-Forwarded-For", "203.0.113.7")),
        row("stranger: Connection: X-Own", get(url).header("Connection", "close, X-Own").header("X-Own", "1").header("X-Kept", "1")),
        row("stranger: Connection: Cookie", get(url).header("Connection", "Cookie").header("Cookie", "a=b")).differs("connection-cannot-name-everything"),
        row("stranger: a port in Host", get("client.test:8080/")).differs("forwarded-port-is-the-listeners"),
        row("stranger: another one", get(url).from(Peer::OtherStranger)),
    ]
}

#[rustfmt::skip]
fn proxies() -> Vec<Row> {
    let url = "client.test/";
    let from = || get(url).from(Peer::Proxy);
    vec![
        row("proxy: nothing", from()),
        row("proxy: X-Forwarded-For", get(url).forwarded_for("203.0.113.7")).differs("real-ip-is-the-client"),
        row("proxy: X-Forwarded-For of two", get(url).forwarded_for("198.51.100.1, 203.0.113.7")).differs("real-ip-is-the-client").differs("forwarded-for-begins-with-the-client"),
        row("proxy: X-Forwarded-For through another trusted one", get(url).forwarded_for("203.0.113.7, 10.244.220.9")).differs("real-ip-is-the-client"),
        row("proxy: X-Forwarded-For, two headers", get(url).forwarded_for("203.0.113.7").header("X-Forwarded-For", "10.244.220.9")).differs("real-ip-is-the-client"),
        row("proxy: X-Forwarded-For with nonsense", get(url).forwarded_for("nonsense")).differs("forwarded-for-begins-with-the-client"),
        row("proxy: X-Forwarded-For, empty", get(url).forwarded_for("")).differs("forwarded-for-begins-with-the-client"),
        row("proxy: X-Forwarded-For of IPv6", get(url).forwarded_for("2001:db8::1")).differs("real-ip-is-the-client"),
        row("proxy: X-Real-IP", from().header("X-Real-IP", "203.0.113.7")).differs("real-ip-is-the-client"),
        row("proxy: X-Real-IP and X-Forwarded-For", get(url).forwarded_for("203.0.113.7").header("X-Real-IP", "203.0.113.7")),
        row("proxy: X-Forwarded-Proto https", from().header("X-Forwarded-Proto", "https")),
        row("proxy: X-Forwarded-Proto http", from().header("X-Forwarded-Proto", "http")),
        row("proxy: X-Forwarded-Proto nonsense", from().header("X-Forwarded-Proto", "gopher")).differs("forwarded-proto-is-http-or-https"),
        row("proxy: X-Forwarded-Host and -Port", from().header("X-Forwarded-Host", "public.test").header("X-Forwarded-Port", "444")),
        row("proxy: X-Forwarded-Prefix", from().header("X-Forwarded-Prefix", "/x")),
        row("proxy: CF-Connecting-IP", get(url).forwarded_for("203.0.113.7").header("CF-Connecting-IP", "203.0.113.7")).differs("real-ip-is-the-client"),
        row("proxy: Forwarded", get(url).forwarded_for("203.0.113.7").header("Forwarded", "for=203.0.113.7")).differs("real-ip-is-the-client").differs("one-client-identity"),
        row("proxy: X_Forwarded_For", from().header("X_Forwarded_For", "203.0.113.7")).differs("one-client-identity"),
        row("proxy: Connection: X-Forwarded-For", get(url).forwarded_for("203.0.113.7").header("Connection", "X-Forwarded-For")).differs("real-ip-is-the-client"),
        row("proxy: POST", ask("POST", url).forwarded_for("203.0.113.7").body(7)).differs("real-ip-is-the-client"),
    ]
}
