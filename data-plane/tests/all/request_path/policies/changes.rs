//! What policies change: headers, where clients are sent, the path that the backend sees.

use sluice_proto::{
    HeaderChange, HeaderOperation, HeaderRules, PolicyAction, Redirect, RedirectParts, RedirectTo,
    Replacement, Rewrite,
};

use super::*;

fn change(name: &str, operation: HeaderOperation) -> HeaderChange {
    HeaderChange {
        name: name.to_owned(),
        operation,
        only_https: false,
    }
}

#[tokio::test]
async fn headers_are_set_added_and_removed() {
    let rules = HeaderRules {
        request: vec![
            set("x-set", "new"),
            change("x-add", HeaderOperation::Add("second".to_owned())),
            change("x-remove", HeaderOperation::Remove),
            set("host", "other.example"),
        ],
        response: vec![
            set("x-frame-options", "DENY"),
            change("server", HeaderOperation::Remove),
        ],
        ..HeaderRules::default()
    };
    let guarded = Guarded::by([PolicyAction::HeaderRules(rules)]).await;
    let headers = [("x-set", "old"), ("x-add", "first"), ("x-remove", "here")];
    let answer = guarded.get("/", &headers).await;
    for line in [
        "x-set: new",
        "x-add: first",
        "x-add: second",
        "host: other.example",
    ] {
        assert!(answer.body.contains(line), "{line}: {}", answer.body);
    }
    assert!(!answer.body.contains("old") && !answer.body.contains("x-remove"));
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("server"), "");
}

#[tokio::test]
async fn answers_of_sluice_itself_carry_the_headers_too() {
    let rules = responses(vec![set("x-frame-options", "DENY")]);
    let mut guarded = Guarded::by([rules]).await;
    assert_eq!(guarded.edge.remove(&endpoints("mirror", [])), []);
    let answer = guarded.get("/", &[]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn what_is_for_https_only_follows_the_scheme_of_whom_is_trusted() {
    let hsts = HeaderChange {
        only_https: true,
        ..set("strict-transport-security", "max-age=31536000")
    };
    let guarded = Guarded::by([responses(vec![hsts])]).await;
    let by_https = [("x-forwarded-proto", "https")];
    let name = "strict-transport-security";
    assert_eq!(guarded.get("/", &by_https).await.header(name), "");
    let guarded = guarded.trusting();
    assert_eq!(guarded.get("/", &[]).await.header(name), "");
    let answer = guarded.get("/", &by_https).await;
    assert_eq!(answer.header(name), "max-age=31536000");
}

#[tokio::test]
async fn other_hosts_than_the_allowed_ones_are_refused() {
    let rules = HeaderRules {
        allowed_hosts: vec!["Shop.example".to_owned()],
        ..HeaderRules::default()
    };
    let guarded = Guarded::by([PolicyAction::HeaderRules(rules)]).await;
    assert_eq!(guarded.get("/", &[]).await.status, 200);
    let rules = HeaderRules {
        allowed_hosts: vec!["other.example".to_owned()],
        ..HeaderRules::default()
    };
    let guarded = Guarded::by([PolicyAction::HeaderRules(rules)]).await;
    assert_eq!(guarded.get("/", &[]).await.status, 400);
}

fn redirect(permanent: bool, parts: RedirectParts) -> PolicyAction {
    PolicyAction::Redirect(Redirect {
        permanent,
        status: None,
        to: RedirectTo::Parts(parts),
    })
}

fn to_https(port: Option<u16>) -> RedirectParts {
    RedirectParts {
        scheme: Some("https".to_owned()),
        port,
        ..RedirectParts::default()
    }
}

#[tokio::test]
async fn a_redirect_to_https_keeps_host_path_and_query_and_does_not_loop() {
    let guarded = Guarded::by([redirect(true, to_https(None))]).await;
    let answer = guarded
        .get("/a?b=c", &[("host", "shop.example:8080")])
        .await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), "https://shop.example/a?b=c");
    assert_eq!(answer.header("proxy-status"), "");
    assert_eq!(guarded.ask("POST", "/", &[]).await.status, 308);
    // An untrusted peer cannot talk its way past it.
    let by_https = [("x-forwarded-proto", "https")];
    assert_eq!(guarded.get("/", &by_https).await.status, 301);
    let guarded = guarded.trusting();
    assert_eq!(guarded.get("/", &by_https).await.status, 200);
    assert_eq!(
        guarded
            .get("/", &[("x-forwarded-proto", "http")])
            .await
            .status,
        301
    );
    let redirected = guarded.edge.line(|line| line["status"] == 301).await;
    assert_eq!(redirected["policy"], "Middleware shop/p spec.p0");
    assert_eq!(redirected["error"], Value::Null);
}

#[tokio::test]
async fn a_redirect_may_name_a_port_a_host_and_a_path() {
    let guarded = Guarded::by([redirect(false, to_https(Some(8443)))]).await;
    let answer = guarded.get("/a", &[]).await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), "https://shop.example:8443/a");
    let elsewhere = RedirectParts {
        host: Some("www.example".to_owned()),
        path: Some("/new?x=y".to_owned()),
        ..RedirectParts::default()
    };
    let guarded = Guarded::by([redirect(false, elsewhere)]).await;
    let answer = guarded.get("/old", &[]).await;
    assert_eq!(answer.header("location"), "http://www.example/new?x=y");
}

#[tokio::test]
async fn a_redirect_by_regular_expression_sees_the_whole_url() {
    let to = RedirectTo::Url(Replacement {
        pattern: "^http://shop\\.example/(.*)".to_owned(),
        replacement: "https://www.shop.example/${1}".to_owned(),
    });
    let guarded = Guarded::by([PolicyAction::Redirect(Redirect {
        permanent: true,
        status: Some(303),
        to,
    })])
    .await;
    let answer = guarded.get("/a?b=c", &[]).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "https://www.shop.example/a?b=c");
    let other = guarded.get("/a", &[("host", "shop.example:81")]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_redirect_by_regular_expression_replaces_whatever_it_finds() {
    let to = RedirectTo::Url(Replacement {
        pattern: "_".to_owned(),
        replacement: "-".to_owned(),
    });
    let guarded = Guarded::by([PolicyAction::Redirect(Redirect {
        permanent: false,
        status: None,
        to,
    })])
    .await;
    let answer = guarded.get("/a_b_c", &[]).await;
    assert_eq!(answer.header("location"), "http://shop.example/a-b-c");
}

async fn rewritten(rewrite: Rewrite, path: &str) -> Answer {
    let guarded = Guarded::by([PolicyAction::Rewrite(rewrite)]).await;
    guarded
        .get(path, &[("x-forwarded-prefix", "/spoofed")])
        .await
}

fn strip(prefixes: &[&str], whole_elements: bool) -> Rewrite {
    Rewrite::StripPrefix {
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        whole_elements,
    }
}

async fn check(cases: impl IntoIterator<Item = (Rewrite, &str, &str, &str)>) {
    for (rewrite, path, expected, header) in cases {
        let seen = rewritten(rewrite, path).await.body;
        assert!(
            seen.starts_with(&format!("GET {expected}\n")),
            "{path}: {seen}"
        );
        assert!(seen.contains(header), "{header}: {seen}");
        assert!(!seen.contains("spoofed"), "{seen}");
    }
}

#[tokio::test]
async fn the_backend_does_not_see_a_stripped_prefix() {
    let pattern = |pattern: &str| Rewrite::StripPattern(vec![pattern.to_owned()]);
    check([
        (
            strip(&["/api"], false),
            "/api/users?x=1",
            "/users?x=1",
            "x-forwarded-prefix: /api",
        ),
        (
            strip(&["/api"], false),
            "/apiary",
            "/ary",
            "x-forwarded-prefix: /api",
        ),
        (strip(&["/api"], true), "/apiary", "/apiary", ""),
        (
            strip(&["/a", "/api"], true),
            "/api",
            "/",
            "x-forwarded-prefix: /api",
        ),
        (strip(&["/api"], false), "/other", "/other", ""),
        (
            pattern("/[a-z]+/v[0-9]"),
            "/api/v2/users",
            "/users",
            "x-forwarded-prefix: /api/v2",
        ),
        (pattern("/v[0-9]"), "/api/v2/users", "/api/v2/users", ""),
    ])
    .await;
}

#[tokio::test]
async fn the_backend_sees_another_path() {
    let add = Rewrite::AddPrefix("/base/".to_owned());
    let one = Rewrite::Path("/one".to_owned());
    let replace = || {
        Rewrite::Replacement(Replacement {
            pattern: "^/old/(.*)".to_owned(),
            replacement: "/new/$1".to_owned(),
        })
    };
    check([
        (add, "/a?b", "/base/a?b", ""),
        (one, "/a?b", "/one?b", "x-replaced-path: /a"),
        (
            replace(),
            "/old/a/b",
            "/new/a/b",
            "x-replaced-path: /old/a/b",
        ),
        (replace(), "/other", "/other", ""),
    ])
    .await;
}

#[tokio::test]
async fn a_path_that_cannot_be_one_is_a_bad_request() {
    let rewrite = Rewrite::Replacement(Replacement {
        pattern: "^/old/(.*)".to_owned(),
        replacement: "$1".to_owned(),
    });
    let answer = rewritten(rewrite, "/old/new").await;
    assert_eq!(answer.status, 400);
}
