//! `tls.yaml`: TLS towards clients.

use super::super::request::{Tls, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        row("plain", get("spec.tls.test/")),
        row("TLS", get("spec.tls.test/").over(Tls::Yes)),
    ]
}

#[rustfmt::skip]
pub(super) fn router() -> Vec<Row> {
    vec![
        row("true: plain", get("router.tls.test/")).differs("every-listener-serves-every-host").unserved(),
        row("true: TLS", get("router.tls.test/").over(Tls::Yes)),
        row("false: plain", get("off.tls.test/")),
        row("false: TLS", get("off.tls.test/").over(Tls::Yes)),
    ]
}

#[rustfmt::skip]
pub(super) fn options() -> Vec<Row> {
    vec![
        row("mutual: without a certificate", get("mutual.tls.test/").over(Tls::Yes)).differs("client-certificates-are-judged-by-the-route"),
        row("mutual: with one", get("mutual.tls.test/").over(Tls::WithCertificate)),
        row("mutual: with a stranger's", get("mutual.tls.test/").over(Tls::WithCertificateOfOthers)).differs("client-certificates-are-judged-by-the-route"),
        row("mutual: plain", get("mutual.tls.test/")).differs("client-certificates-are-judged-by-the-route").unserved(),
        row("if given: without a certificate", get("mutual-if-given.tls.test/").over(Tls::Yes)),
        row("if given: with one", get("mutual-if-given.tls.test/").over(Tls::WithCertificate)),
        row("if given: with a stranger's", get("mutual-if-given.tls.test/").over(Tls::WithCertificateOfOthers)).differs("client-certificates-are-judged-by-the-route"),
        row("1.3 at least: by 1.3", get("modern.tls.test/").over(Tls::Yes)),
        row("1.3 at least: by 1.2", get("modern.tls.test/").over(Tls::Version12)),
        row("1.2 at most: by 1.2", get("old.tls.test/").over(Tls::Version12)),
        row("1.2 at most: by either", get("old.tls.test/").over(Tls::Yes)),
        row("unknown", get("unknown.tls.test/").over(Tls::Yes)).differs("broken-route-is-unavailable"),
    ]
}
