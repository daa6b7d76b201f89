//! What would answer a URL, and why: the same code routes.

use sluice_proto::{MissingCertificate, wire};
use tonic::Code;

use crate::objects::{CLASS, READY, TERMINATING, ingress, service, tls_ingress};
use crate::running::Running;

async fn explain(running: &Running, url: &str) -> wire::ExplainResponse {
    let url = url.to_owned();
    let mut client = running.introspect().await;
    client
        .explain(wire::ExplainRequest { url })
        .await
        .unwrap()
        .into_inner()
}

/// Two hosts, a wildcard, paths below each other, and two Services.
fn shop() -> String {
    [
        CLASS,
        &service(
            "web",
            &[
                ("10.0.0.1", READY),
                ("10.0.0.2", READY),
                ("10.0.0.3", TERMINATING),
            ],
        ),
        &service("api", &[("10.0.1.1", TERMINATING)]),
        &service("idle", &[]),
        &ingress("root", "shop.example", "/", "web"),
        &ingress("api", "shop.example", "/api", "api"),
        &ingress("wild", "'*.example'".trim_matches('\''), "/", "web"),
        &ingress("deep", "deep.example", "/only", "web"),
        &ingress("idle", "idle.example", "/", "idle"),
        &ingress("gone", "gone.example", "/", "nowhere"),
        &tls_ingress("secure", "secure.example", "web", "missing"),
    ]
    .concat()
}

#[tokio::test]
async fn the_route_its_backend_and_its_endpoints_are_named() {
    let running = Running::with(&shop()).await;
    let answer = explain(&running, "https://Shop.Example:8443/cart?item=1").await;
    assert_eq!(
        answer.summary,
        "route shop/root shop.example Prefix / answers from backend shop/web:80 (2 ready endpoints)"
    );
    assert_eq!((answer.status, answer.generation), (0, 1));
    assert_eq!(
        (&*answer.host, &*answer.certificate),
        ("shop.example", "default")
    );
    let route = answer.route.unwrap();
    assert_eq!(route.name, "shop/root shop.example Prefix /");
    assert_eq!(route.route.unwrap().ingress.unwrap().name, "root");
    let [backend] = &route.backends[..] else {
        panic!("{:?}", route.backends);
    };
    assert_eq!(
        (&*backend.name, backend.weight, backend.usable),
        ("shop/web:80", 1, 2)
    );
    assert_eq!(backend.endpoints.len(), 3);
    assert_eq!(
        (&*backend.endpoints[0].ip, backend.endpoints[0].port),
        ("10.0.0.1", 8080)
    );
}

#[tokio::test]
async fn who_lost_is_told_why() {
    let running = Running::with(&shop()).await;
    let answer = explain(&running, "http://shop.example/api/v1").await;
    assert!(
        answer.summary.contains("route shop/api "),
        "{}",
        answer.summary
    );
    assert!(
        answer.summary.contains("(1 terminating endpoint)"),
        "{}",
        answer.summary
    );
    let lost: Vec<_> = answer
        .lost
        .iter()
        .map(|lost| (&*lost.name, &*lost.reason))
        .collect();
    assert_eq!(
        lost,
        [
            (
                "shop/root shop.example Prefix /",
                "its path (Prefix /) is less specific than (Prefix /api)"
            ),
            (
                "shop/wild *.example Prefix /",
                "its host *.example is less specific than shop.example"
            ),
        ]
    );
    let answer = explain(&running, "http://shop.example/apis").await;
    assert!(
        answer.summary.contains("route shop/root "),
        "{}",
        answer.summary
    );
    assert_eq!(
        answer.lost[1].reason,
        "its path (Prefix /api) does not match"
    );
}

#[tokio::test]
async fn nobody_is_explained_as_404() {
    let running = Running::with(&shop()).await;
    let answer = explain(&running, "http://elsewhere.test/").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.summary,
        "404: no route takes the host elsewhere.test"
    );
    assert_eq!((answer.route, &*answer.host), (None, ""));

    let without_wildcard = shop().replace("'*.example'", "other.test");
    running.publish(&without_wildcard);
    let answer = explain(&running, "http://deep.example/").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.summary,
        "404: no route of the host deep.example takes this path"
    );
    assert_eq!(
        answer.lost[0].reason,
        "its path (Prefix /only) does not match"
    );
}

#[tokio::test]
async fn what_is_broken_is_explained_with_its_remedy() {
    let running = Running::with(&shop()).await;
    let problems = running.publisher.subscribe().borrow().clone().unwrap();
    let problems = &problems.translation.problems;

    let answer = explain(&running, "http://gone.example/").await;
    assert_eq!(answer.status, 503);
    let missing = problems
        .iter()
        .find(|problem| problem.object.name == "gone")
        .unwrap();
    assert!(
        answer.summary.starts_with("503: route shop/gone "),
        "{}",
        answer.summary
    );
    assert!(
        answer.summary.contains(&*missing.message),
        "{}",
        answer.summary
    );
    assert!(
        answer.summary.contains(&*missing.remedy),
        "{}",
        answer.summary
    );
    assert!(answer.route.unwrap().backends.is_empty());

    for scheme in ["http", "https"] {
        let answer = explain(&running, &format!("{scheme}://secure.example/")).await;
        assert_eq!(answer.status, 503, "{}", answer.summary);
        assert!(
            answer.summary.contains("shop/missing"),
            "{}",
            answer.summary
        );
        assert_eq!(answer.certificate, "default");
    }

    let answer = explain(&running, "http://idle.example/").await;
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .summary
            .contains("nobody to answer: backend shop/idle:80 (0 ready endpoints)"),
        "{}",
        answer.summary
    );
}

#[tokio::test]
async fn a_refused_handshake_is_explained() {
    let running = Running::start().await;
    running.publish_with(&shop(), |settings| {
        settings.edge.missing_certificate = MissingCertificate::RefuseHandshake;
    });
    let answer = explain(&running, "https://shop.example/").await;
    assert!(
        answer.summary.contains("handshake is refused"),
        "{}",
        answer.summary
    );
    assert_eq!((answer.certificate, answer.route), (String::new(), None));
    let answer = explain(&running, "http://shop.example/").await;
    assert!(
        answer.summary.contains("answers from"),
        "{}",
        answer.summary
    );
}

#[tokio::test]
async fn a_bad_url_is_refused_by_name() {
    let running = Running::with(&shop()).await;
    let mut client = running.introspect().await;
    for (url, named) in [
        ("shop.example/api", "no scheme"),
        ("ftp://shop.example/", "ftp"),
        ("http://user@shop.example/", "user"),
        ("http://shop*.example/", "host"),
        ("", "empty"),
    ] {
        let url = url.to_owned();
        let error = client
            .explain(wire::ExplainRequest { url })
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains(named), "{error:?}");
    }
}
