//! `service.yaml`: the annotations `service.*`.

use super::super::request::{ask, get};
use super::super::row::{Row, row};

/// What says what is so anyway.
#[rustfmt::skip]
pub(super) fn defaults() -> Vec<Row> {
    vec![
        row("serversscheme http", get("scheme-http.test/")),
        row("passhostheader true", get("pass-host.test/")),
        row("sticky.cookie false", get("sticky-off.test/")),
        row("nativelb false", get("native-off.test/")),
    ]
}

#[rustfmt::skip]
pub(super) fn scheme() -> Vec<Row> {
    vec![
        row("h2c", get("scheme-h2c.test/")),
        row("h2c: POST", ask("POST", "scheme-h2c.test/").body(10)),
        row("https: a certificate that nobody trusts", get("scheme-https.test/")).differs("failed-handshakes-are-502"),
        row("a port named https: the same", get("named-https.test/")).differs("failed-handshakes-are-502"),
    ]
}

#[rustfmt::skip]
pub(super) fn transport() -> Vec<Row> {
    vec![
        row("insecureSkipVerify", get("transport-trusting.test/")).differs("servers-are-called-by-their-service"),
        row("rootCAs and serverName", get("transport-verifying.test/")),
        row("rootCAs and a wrong serverName", get("transport-wrong-name.test/")).differs("failed-handshakes-are-502"),
        row("unknown", get("transport-nowhere.test/")).unserved().differs("broken-route-is-unavailable"),
        row("responseHeaderTimeout: in time", get("transport-impatient.test/")),
        row("responseHeaderTimeout: too late", get("transport-impatient.test/?delay_ms=3000")).differs("timeouts-are-those-of-settings"),
    ]
}

pub(super) fn pass_host() -> Vec<Row> {
    vec![row("false", get("keep-host.test/"))]
}

#[rustfmt::skip]
pub(super) fn sticky() -> Vec<Row> {
    vec![
        row("default: the cookie", get("sticky.test/")),
        row("default: the same pod again", get("sticky.test/").header("X-Same", "1")).times(6).keeping_cookies(),
        row("named: the cookie and its attributes", get("sticky-named.test/")),
        row("named: the same pod again", get("sticky-named.test/shop").header("X-Same", "1")).times(6).keeping_cookies(),
        row("domain: the cookie and its attributes", get("sticky-domain.test/")),
        row("named: a cookie of nobody's", get("sticky-named.test/").header("Cookie", "lock=nobody")),
    ]
}

pub(super) fn native() -> Vec<Row> {
    vec![row("true: the Service's own address", get("native.test/"))]
}
