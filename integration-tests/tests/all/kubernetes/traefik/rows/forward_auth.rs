//! `forward-auth.yaml`.

use super::super::request::{Request, ask, get};
use super::super::row::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    [verdicts(), told()].concat()
}

#[rustfmt::skip]
fn verdicts() -> Vec<Row> {
    vec![
        row("allowed, with headers", get("auth-allow.test/page?x=1")),
        row("allowed: the client's own of these headers", get("auth-allow.test/").header("X-User", "root").header("X-More", "two")),
        row("allowed, without authResponseHeaders", get("auth-nothing.test/")),
        row("denied", get("auth-deny.test/")),
        row("denied: POST", ask("POST", "auth-deny.test/").body(20)),
        row("denied: HEAD", ask("HEAD", "auth-deny.test/")),
        row("sent to a login", get("auth-login.test/")),
        row("sent to a login elsewhere", get("auth-login-elsewhere.test/")),
        row("preserveLocationHeader", get("auth-login-kept.test/")),
        row("challenged", get("auth-challenge.test/")),
        row("authSigninURL", get("auth-signin.test/")),
        row("an error of the auth server's", get("auth-broken.test/")),
        row("the auth server is gone", get("auth-gone.test/")).differs("no-answer-of-who-decides-is-503"),
        row("authResponseHeadersRegex", get("auth-regex.test/").header("X-Auth-Group", "dogs").header("X-Auth-Role", "root")),
        row("addAuthCookiesToResponse", get("auth-cookies.test/")),
        row("addAuthCookiesToResponse: the backend's own", get("auth-cookies.test/?header=set-cookie:session=old&header=set-cookie:mine=2")),
    ]
}

/// What the auth server is told.
#[rustfmt::skip]
fn told() -> Vec<Row> {
    let spoofed = |request: Request| {
        request
            .header("X-Forwarded-For", "203.0.113.7")
            .header("X-Forwarded-Host", "evil.test")
            .header("X-Forwarded-Uri", "/evil")
            .header("X-Forwarded-Method", "PUT")
            .header("X-Forwarded-Proto", "https")
    };
    vec![
        row("told: POST with a body and headers", ask("POST", "auth-allow.test/page?x=1").header("X-Token", "t").header("Cookie", "a=b").body(20)),
        row("told: by a stranger that pretends", spoofed(get("auth-allow.test/page"))),
        row("told: by a proxy", get("auth-allow.test/page").forwarded_for("203.0.113.7").header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "public.test")).differs("who-decides-is-told-of-the-client").differs("real-ip-is-the-client"),
        row("authRequestHeaders", get("auth-some-headers.test/").header("X-Token", "t").header("X-Other", "o").header("Cookie", "a=b")).differs("who-decides-is-told-of-the-client"),
        row("preserveRequestMethod", ask("DELETE", "auth-method.test/")),
        row("forwardBody", ask("POST", "auth-body.test/").body(100)),
        row("forwardBody: more than maxBodySize", ask("POST", "auth-body.test/").body(101)),
        row("trustForwardHeader: a stranger", spoofed(get("auth-trusting.test/page"))),
        row("trustForwardHeader: a proxy", get("auth-trusting.test/page").forwarded_for("203.0.113.7").header("X-Forwarded-Uri", "/other").header("X-Forwarded-Method", "PUT")).differs("who-decides-is-told-of-the-client").differs("real-ip-is-the-client"),
        row("trustForwardHeader false: a proxy", get("auth-distrusting.test/page").forwarded_for("203.0.113.7").header("X-Forwarded-Uri", "/other").header("X-Forwarded-Proto", "https")).differs("who-decides-is-told-of-the-client").differs("real-ip-is-the-client"),
    ]
}
