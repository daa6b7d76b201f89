//! `basic-auth.yaml`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::request::{Request, ask, get};
use super::super::row::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    [users(), spellings()].concat()
}

#[rustfmt::skip]
fn users() -> Vec<Row> {
    vec![
        row("nobody", get("basic.test/")),
        row("apr1: right", by("basic.test/", "alice:wonderland")),
        row("apr1: wrong", by("basic.test/", "alice:mirror")),
        row("bcrypt: right", by("basic.test/", "bob:builder")),
        row("bcrypt: wrong", by("basic.test/", "bob:wrecker")),
        row("SHA: right", by("basic.test/", "carol:singer")),
        row("SHA: wrong", by("basic.test/", "carol:dancer")),
        row("unknown user", by("basic.test/", "eve:wonderland")),
        row("user in capitals", by("basic.test/", "ALICE:wonderland")),
        row("no password", by("basic.test/", "alice:")),
        row("no colon", by("basic.test/", "alice")),
        row("another scheme", get("basic.test/").header("Authorization", "Bearer abc")),
        row("no base64", get("basic.test/").header("Authorization", "Basic !!!")),
        row("the scheme in small letters", lower("basic.test/", "alice:wonderland")),
        row("twice", by("basic.test/", "alice:mirror").header("Authorization", basic("alice:wonderland"))),
        row("POST", ask("POST", "basic.test/").header("Authorization", basic("alice:wonderland")).body(9)),
        row("a realm of one's own", get("basic-realm.test/")),
        row("removeHeader", by("basic-removed.test/", "alice:wonderland")),
        row("headerField", by("basic-field.test/", "alice:wonderland")),
        row("headerField: the client's own", by("basic-field.test/", "alice:wonderland").header("X-User", "root")),
        row("kubernetes.io/basic-auth: right", by("basic-typed.test/", "dave:diver")),
        row("kubernetes.io/basic-auth: wrong", by("basic-typed.test/", "dave:flyer")),
        row("the Secret is missing", by("basic-missing.test/", "alice:wonderland")).unserved().differs("broken-route-is-unavailable"),
        row("the Secret has two keys", by("basic-two-keys.test/", "carol:singer")).unserved().differs("broken-route-is-unavailable"),
        row("the Secret of a longer path is missing", get("basic-fall.test/guarded")).differs("broken-route-is-unavailable"),
    ]
}

/// Of a guarded path under an open one.
#[rustfmt::skip]
fn spellings() -> Vec<Row> {
    vec![
        row("below an open path: as it is", get("basic-below.test/admin")),
        row("below an open path: by a user", by("basic-below.test/admin/x", "alice:wonderland")),
        row("below an open path: an encoded letter", get("basic-below.test/%61dmin")),
        row("below an open path: two slashes", get("basic-below.test//admin")),
        row("below an open path: a dot", get("basic-below.test/./admin")),
        row("below an open path: two dots", get("basic-below.test/x/../admin")),
        row("below an open path: encoded dots", get("basic-below.test/x/%2e%2e/admin")),
        row("below an open path: an encoded slash", get("basic-below.test/x%2F..%2Fadmin")),
        row("below an open path: a slash at its end", get("basic-below.test/admin/")),
        row("below an open path: a backslash", get("basic-below.test/x/..%5Cadmin")),
        row("below an open path: a semicolon", get("basic-below.test/admin;x=1")).differs("prefix-by-elements"),
        row("below an open path: in capitals", get("basic-below.test/ADMIN")),
        row("below an open path: leading out of it", get("basic-below.test/admin/../x")),
    ]
}

fn by(url: &'static str, credentials: &str) -> Request {
    get(url).header("Authorization", basic(credentials))
}

fn lower(url: &'static str, credentials: &str) -> Request {
    get(url).header(
        "Authorization",
        basic(credentials).replace("Basic", "basic"),
    )
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}
